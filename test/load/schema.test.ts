import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"
import * as Result from "../../load/Result.ts"

// `npx vitest run --project core test/load/schema.test.ts -u` writes it anew.
it("is published as the JSON Schema that the code says", async () => {
  const text = `${JSON.stringify(Result.jsonSchema(), null, 2)}\n`
  await expect(text).toMatchFileSnapshot(fileURLToPath(new URL("../../load/result.schema.json", import.meta.url)))
})
