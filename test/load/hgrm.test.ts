import { expect, it } from "vitest"
import { hgrm } from "../../load/Hgrm.ts"
import { result } from "./outcomes.ts"

it("writes the distribution as HdrHistogram's plotter reads it, in milliseconds", () => {
  const { response } = result({ stall: 4 }).latency
  const lines = hgrm(response!).trimEnd().split("\n")
  expect(lines[0]).toBe("       Value     Percentile TotalCount 1/(1-Percentile)")
  expect(lines[1]).toBe("")
  const rows = lines.slice(2).filter((line) => !line.startsWith("#")).map((line) => line.trim().split(/\s+/))
  expect(rows.length).toBeGreaterThan(30)
  for (const row of rows) for (const cell of row) expect(Number(cell), row.join(" ")).toBeGreaterThanOrEqual(0)
  const percentiles = rows.map(([, percentile]) => Number(percentile))
  expect(percentiles).toEqual([...percentiles].sort((one, other) => one - other))
  // The last line is all of it, and has no last column.
  const [value, percentile, count, rest] = rows.at(-1)!
  expect([Number(percentile), Number(count), rest]).toEqual([1, response!.count, undefined])
  expect(Math.abs(Number(value) - response!.max / 1_000)).toBeLessThan(2)
  const half = rows.find(([, percentile]) => Number(percentile) === 0.5)!
  expect(Number(half[0])).toBeCloseTo(response!.p50 / 1_000, 2)
  expect(Number(half[3])).toBe(2)
  expect(lines.filter((line) => line.startsWith("#")).length).toBe(3)
})
