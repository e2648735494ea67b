/** One cell of the matrix: a case, run against a server of its own. */
import { setTimeout as sleep } from "node:timers/promises"
import type { Case, Verdict } from "./Case.ts"
import { launch } from "./Server.ts"

/** Runs a case. A server that ends without being asked to has lost everything; one that does not start rejects. */
export const judge = async (one: Case, command: ReadonlyArray<string>): Promise<Verdict> => {
  const server = await launch(command, one.descriptors)
  try {
    const verdict = await one.run(server).catch((error: unknown) => String(error))
    if (one.ends === true) return verdict
    return await Promise.race([server.ended.then(() => "process died"), sleep(50, verdict)])
  } finally {
    await server.stop()
  }
}
