/** The page of a result as text. `test/interop/report.test.ts` looks at it in a browser. */
import { createHash } from "node:crypto"
import { describe, expect, it } from "vitest"
import * as Result from "../../load/Result.ts"
import { html } from "../../load/report/Report.ts"
import * as Scale from "../../load/report/Scale.ts"
import { hash, style } from "../../load/report/Style.ts"
import { facts, outcome, plan, result } from "./outcomes.ts"

/** All of a page that is markup, and not text. */
const tags = (page: string): ReadonlyArray<string> => page.match(/<[^>]*>/g) ?? []

describe("a report", () => {
  it("allows itself its style and nothing else", () => {
    expect(hash).toBe(`sha256-${createHash("sha256").update(style).digest("base64")}`)
    const page = html(result())
    expect(page).toContain(`content="default-src 'none'; style-src '${hash}'; base-uri 'none'; form-action 'none'"`)
    expect(page).toContain(`<style>${style}</style>`)
  })

  it("refers to nothing outside, and has no script", () => {
    const page = html(result({ stall: 3, errors: { reset: 1 } }))
    for (const tag of tags(page)) {
      expect(tag).not.toMatch(/\s(?:src|href|xlink:href|style|on\w+|action|data|poster|srcset)\s*=/i)
      expect(tag).not.toMatch(/^<(?:script|link|iframe|object|embed|img|base|form|input|foreignObject|use)\b/i)
    }
    expect(style).not.toMatch(/url\(|@import|expression/i)
  })

  it("shows hostile text as text, wherever it stands", () => {
    const hostile = `"><script>alert(1)</script><img src=x onerror='x'>&lt;\u202e\u0000`
    const verdict = { generatorBound: true, invalid: [hostile], warnings: [hostile] }
    const one = Result.make(
      plan({
        target: { url: hostile, address: { _tag: "Tcp", host: "127.0.0.1", port: 1 }, webSocket: undefined },
        sources: [hostile],
        expect: { _tag: "Prefix", prefix: new TextEncoder().encode(hostile) },
      }),
      outcome(),
      {
        ...facts,
        runtime: hostile,
        versions: { [hostile]: hostile },
        platform: hostile,
        startedAt: hostile,
        command: hostile,
        framing: hostile,
        message: hostile,
      },
      verdict,
    )
    const thresholds = [{ text: hostile, ok: false, actual: hostile }]
    const search = {
      thresholds: hostile,
      rate: 1,
      limit: "server",
      trials: [{ rate: 1, duration: 1, confirmation: true, outcome: "held", achieved: 1, thresholds }],
    } as const
    const errors = { total: 1, share: 0.1, byKind: { [hostile]: 1 } }
    const page = html({ ...one, thresholds, search, errors })
    const shape = (page: string): ReadonlyArray<string> => tags(page).map((tag) => /^<\/?\w+/.exec(tag)?.[0] ?? tag)
    const calm = JSON.parse(
      JSON.stringify({ ...one, thresholds, search, errors }).replaceAll(JSON.stringify(hostile).slice(1, -1), "calm"),
    )
    expect(shape(page)).toEqual(shape(html(calm)))
    expect(page).not.toMatch(/<script|<img|\p{Bidi_Control}|(?!\n)\p{Cc}/iu)
    expect(page.split("&#60;script&#62;alert(1)&#60;/script&#62;").length).toBeGreaterThan(15)
  })

  it("has both latencies, all charts, and every second as figures", () => {
    const page = html(result({ stall: 4, errors: { "ports-exhausted": 3 } }))
    expect([...page.matchAll(/<figcaption>([^<]*)/g)].map(([, title]) => title)).toEqual([
      "Throughput",
      "Response time",
      "Service time",
      "Latency by percentile",
      "Errors",
      "Connections",
      "CPU of the generator",
      "Lateness of the generator",
    ])
    expect(page.match(/<svg viewBox[^>]* role="img" aria-label="[^"]+"><desc>[^<]+<\/desc>/g)?.length).toBe(8)
    expect(page.slice(page.indexOf("<details>")).match(/<tr>/g)?.length).toBe(11)
    expect(page).toContain("--source-address 127.0.0.2-127.0.0.9")
  })

  it.each([
    ["of nothing that was measured", { seconds: 0 }],
    ["of one second", { seconds: 1 }],
    ["of no request", { seconds: 3, rate: 0 }],
    ["of many seconds, in pieces", { seconds: 500, rate: 3 }],
  ])("is a page also %s", (_, story) => {
    const page = html(result(story))
    expect(page).not.toMatch(/NaN|Infinity|undefined|null/)
    expect(page.length).toBeLessThan(1_000_000)
  })

  it("adds seconds to pieces of a long run, and does not average their percentiles", () => {
    const page = html(result({ seconds: 400, rate: 100, stall: 200 }))
    // The second that stood still is half of its piece: its worst are still there.
    const stalled = page.slice(page.indexOf("<details>")).split("<tr>").find((row) => row.includes(">1 s<"))
    expect(stalled).toMatch(/>9\d\d ms<\/td><td class="number">1 s</)
    expect(page).toContain("All figures, of each 2 seconds")
  })

  it("says before the figures that they are not to be believed", () => {
    const page = html({ ...result(), valid: false, invalid: ["late"], generatorBound: true })
    expect(page.indexOf("INVALID")).toBeLessThan(page.indexOf('class="tiles"'))
    expect(page.indexOf("The generator was the limit")).toBeLessThan(page.indexOf('class="tiles"'))
    expect(html(result())).not.toContain("INVALID")
  })
})

describe("an axis", () => {
  it.each([
    [Scale.linear(0), [0, 1]],
    [Scale.linear(2, 1), [0, 1, 2]],
    [Scale.linear(1), [0, 0.2, 0.4, 0.6, 0.8, 1]],
    [Scale.linear(1_999), [0, 500, 1_000, 1_500, 2_000]],
    [Scale.linear(0.3), [0, 0.1, 0.2, 0.3]],
    [Scale.time(60), [0, 10, 20, 30, 40, 50, 60]],
    [Scale.time(10), [0, 2, 4, 6, 8, 10]],
    [Scale.time(0), [0]],
    [Scale.logarithmic(3, 700), [10, 100, 1_000]],
    [Scale.logarithmic(400, 1_000_000), [1_000, 10_000, 100_000, 1_000_000]],
    [Scale.logarithmic(50, 50), [5, 10, 20, 50]],
    [Scale.nines(20_000), [0, 0.9, 0.99, 0.999, 0.9999]],
  ])("has round ticks (%#)", (scale, ticks) => {
    expect(scale.ticks.map((tick) => Number(tick.toPrecision(6)))).toEqual(ticks)
    const places = scale.ticks.map((tick) => scale.at(tick))
    expect(places.every((place) => place >= 0 && place <= 1)).toBe(true)
    expect(places).toEqual([...places].sort((one, other) => one - other))
  })

  it("takes in every value", () => {
    for (const [least, most] of [[1, 3_600_000_000], [7, 8], [100, 100], [0.4, 12]] as const) {
      const scale = Scale.logarithmic(least, most)
      expect(scale.at(least)).toBeLessThan(scale.at(most) + (least === most ? 1 : 0))
      expect(scale.at(most)).toBeLessThanOrEqual(1)
      expect(scale.at(least * 1.001)).toBeGreaterThan(scale.at(least * 0.999))
      expect(scale.at(most * 0.999)).toBeGreaterThan(scale.at(most * 0.99))
    }
  })
})
