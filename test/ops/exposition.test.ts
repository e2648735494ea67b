import { expect, it } from "vitest"
import { type Family, render } from "../../ops/admin/exposition.ts"
import { parse } from "./exposition.ts"

const family = (samples: Family["samples"], help = "Things."): Family => ({
  name: "things_total",
  help,
  type: "counter",
  samples,
})

it("a family is its help, its type and its series", () => {
  expect(render([family([{ value: 3 }])])).toBe(
    "# HELP things_total Things.\n# TYPE things_total counter\nthings_total 3\n",
  )
})

it("a family without a series is there all the same", () => {
  expect(render([family([])])).toBe("# HELP things_total Things.\n# TYPE things_total counter\n")
})

it("labels and help are escaped as the format says", () => {
  const text = render([family([{ labels: { a: 'say "hi"\\\n', b: "ü" }, value: 1 }], "one\\two\nthree")])
  expect(text).toContain("# HELP things_total one\\\\two\\nthree\n")
  expect(text).toContain('things_total{a="say \\"hi\\"\\\\\\n",b="ü"} 1\n')
  expect([...parse(text).values()]).toEqual([1])
})

it.each([[Infinity, "+Inf"], [-Infinity, "-Inf"], [NaN, "NaN"], [0.001, "0.001"], [2 ** 53, "9007199254740992"], [
  1e300,
  "1e+300",
]])(
  "%d is written %s",
  (value, written) => expect(render([family([{ value }])])).toContain(`things_total ${written}\n`),
)

it.each([
  ["", "no end"],
  ["# HELP a_total x\n# TYPE a_total counter\na_total 1", "no end"],
  ["a_total 1\n", "outside"],
  ["# HELP a x\n# TYPE a counter\na 1\n", "_total"],
  ["# HELP a_total x\n# TYPE a_total counter\na_total -1\n", "below 0"],
  ["# HELP a x\n# TYPE a gauge\na 1\na 2\n", "twice"],
  ['# HELP a x\n# TYPE a gauge\na{b="""} 1\n', "Labels"],
  ["# HELP a x\n# TYPE a gauge\na one\n", "No number"],
  ["# TYPE a gauge\na 1\n", "HELP"],
])("the strict reader refuses %j", (text, why) => expect(() => parse(text)).toThrow(why))
