/** The report of a run in a real browser: nothing to complain of, nothing fetched, and charts that lie where they should. */
import { describe, expect, it } from "vitest"
import { html } from "../../load/report/Report.ts"
import type { Result } from "../../load/Result.ts"
import { result } from "../load/outcomes.ts"
import { charts, views, visit } from "./charts.ts"

const visited = visit()

const write = (name: string, page: string): string => visited.write(`${name}.html`, page)

const search: Result["search"] = {
  thresholds: "p99<10ms",
  rate: 3_200,
  limit: "server",
  trials: [{ rate: 3_200, duration: 30_000, confirmation: true, outcome: "held", achieved: 3_199, thresholds: [] }],
}

const stories: ReadonlyArray<readonly [name: string, charts: number, result: Result]> = [
  ["a server that stood still", 8, {
    ...result({ seconds: 60, stall: 24, errors: { "connect-refused": 12, "reply-wrong": 7 } }),
    valid: false,
    invalid: ["8% was late"],
    generatorBound: true,
    warnings: ["something"],
    thresholds: [{ text: "p99<50ms", ok: false, actual: "901 ms" }],
    search,
  }],
  ["a quiet run", 7, result({ seconds: 10 })],
  ["many requests", 7, result({ seconds: 3, rate: 40_000 })],
  ["many seconds", 7, result({ seconds: 500, rate: 20, stall: 250 })],
]

describe.each(stories)("the report of %s", (name, count, result) => {
  const url = write(name, html(result))

  it.each(views)("is whole and quiet, %s", async (_, view) => {
    await visited.browser.open(url, view)
    expect(await visited.browser.evaluate(charts)).toEqual({ count, wrong: [] })
    expect(await visited.browser.evaluate("document.documentElement.scrollWidth")).toBe(view.width ?? 1_280)
    expect(visited.browser.complaints).toEqual([])
    expect(visited.browser.requests).toEqual([url])
    const ground = await visited.browser.evaluate("getComputedStyle(document.body).backgroundColor")
    expect(ground).toBe(view.scheme === "dark" ? "rgb(16, 19, 23)" : "rgb(244, 245, 247)")
  })
})

it("shows the figures of a second where the pointer is, without a script", async () => {
  await visited.browser.open(write("pointer", html(result({ seconds: 10, stall: 4 }))))
  const spot = `document.querySelectorAll("figure > svg")[1].querySelectorAll(".at")[4]`
  const shown = `getComputedStyle(${spot}.querySelector("text")).opacity`
  expect(await visited.browser.evaluate(shown)).toBe("0")
  const [x, y] = await visited.browser.evaluate(
    `(() => { const svg = ${spot}; svg.scrollIntoView({ block: "center" }); const { x, y, width, height } = ` +
      `svg.querySelector("rect").getBoundingClientRect(); return [x + width / 2, y + height / 2] })()`,
  ) as [number, number] // what the expression makes
  await visited.browser.point(x, y)
  expect(await visited.browser.evaluate(shown)).toBe("1")
  expect(await visited.browser.evaluate(`${spot}.querySelector("text").textContent`)).toMatch(
    /^5 s · p50 \d+ ms · p90 9\d\d ms · p99 99\d ms · p99.9 .* · max 1 s$/,
  )
})

it("shows hostile text as text", async () => {
  const hostile =
    `</title></style><script>document.title = "taken"</script><img src=x onerror="document.title='taken'">`
  const one = result({ seconds: 2 })
  const url = write("hostile", html({ ...one, plan: { ...one.plan, target: hostile }, warnings: [hostile] }))
  await visited.browser.open(url)
  expect(await visited.browser.evaluate("document.querySelector('h1').textContent")).toBe(hostile)
  expect(await visited.browser.evaluate("document.title")).toBe(`anyport load: ${hostile}`)
  expect(await visited.browser.evaluate("document.querySelectorAll('script, img').length")).toBe(0)
  expect(visited.browser.requests).toEqual([url])
})

// What the tests above listen for would be heard.
it.each([
  ["a script that throws", "<script>nobody()</script>"],
  ["a message to the console", "<script>console.error('no')</script>"],
  [
    "a breach of a policy",
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'"><style>p { color: red }</style>`,
  ],
])("is told of %s", async (name, page) => {
  await visited.browser.open(write(name, `<!doctype html><title>x</title>${page}`))
  await expect.poll(() => visited.browser.complaints.length).toBeGreaterThan(0)
})

it("is told of a request", async () => {
  await visited.browser.open(write("request", `<!doctype html><img src="missing.png">`))
  await expect.poll(() => visited.browser.requests.length).toBe(2)
})
