/** The page, the section of a README, the picture and the table as text. `test/interop/` looks at them in a browser. */
import { createHash } from "node:crypto"
import { describe, expect, it } from "vitest"
import { figures } from "../../bench/Figures.ts"
import { markdown } from "../../bench/report/Markdown.ts"
import { rules } from "../../bench/report/Method.ts"
import { page } from "../../bench/report/Page.ts"
import { picture } from "../../bench/report/Picture.ts"
import { table } from "../../bench/report/Table.ts"
import type { Result } from "../../bench/Result.ts"
import { altered, quiet, result } from "./results.ts"

const whole = result()

/** All of a page that is markup, and not text. */
const tags = (page: string): ReadonlyArray<string> => page.match(/<[^>]*>/g) ?? []

describe("the page", () => {
  it("allows itself its style and nothing else", () => {
    const html = page(whole)
    const [, style = ""] = /<style>([\s\S]*?)<\/style>/.exec(html) ?? []
    const hash = `sha256-${createHash("sha256").update(style).digest("base64")}`
    expect(html).toContain(`content="default-src 'none'; style-src '${hash}'; base-uri 'none'; form-action 'none'"`)
    for (const tag of tags(html)) {
      expect(tag).not.toMatch(/\s(?:src|href|xlink:href|style|on\w+|action|data|poster|srcset)\s*=/i)
      expect(tag).not.toMatch(/^<(?:script|link|iframe|object|embed|img|base|form|input|foreignObject|use)\b/i)
    }
  })

  it("shows hostile text as text, wherever it stands", () => {
    const hostile = `"><script>alert(1)</script><img src=x onerror='x'>\u202e\u0000`
    const [contender] = whole.contenders
    const one: Result = {
      ...whole,
      generator: hostile,
      command: hostile,
      startedAt: hostile,
      machine: { CPU: hostile, [hostile]: hostile },
      versions: { [hostile]: hostile },
      missing: [{ name: hostile, reason: hostile }],
      contenders: whole.contenders.map((one) => ({ ...one, title: hostile, command: hostile })),
      cells: whole.cells.map((cell) => ({ ...cell, title: hostile })),
      trials: whole.trials.map((trial) => trial.contender === contender!.id ? { ...trial, void: [hostile] } : trial),
    }
    const names = (html: string): ReadonlyArray<string> =>
      [...new Set(tags(html).map((tag) => /^<\/?([\w!]+)/.exec(tag)?.[1] ?? tag))].toSorted()
    for (const made of [page(one), picture(one)]) {
      expect(made).not.toContain("<script>alert")
      for (const character of "\u202e\u0000") expect(made).not.toContain(character)
    }
    expect(names(page(one)).filter((name) => !names(page(whole)).includes(name))).toEqual([])
    for (const character of "\u202e\u0000") expect(table(one)).not.toContain(character)
  })

  it("names what is missing, what is blank and every trial that does not count", () => {
    const spoilt = altered(
      whole,
      (trial) =>
        trial.contender === "anyport-deno" && trial.cell === "churn-50"
          ? { ...trial, void: ["the server died"] }
          : trial,
    )
    const html = page(spoilt)
    expect(html).toContain("the machine has two cores, and the generator needs one")
    expect(html).toMatch(
      /<td>Anyport on Deno<\/td><td>Connect, one 64 B line[^<]*<\/td><td>none of \d trials counts: the server died<\/td>/,
    )
    expect(html.match(/class="void" cx="[^"]*" cy="[^"]*" r="2.4"/g)!.length).toBeGreaterThanOrEqual(5)
  })

  it("says of a run that it is quick, not finished, or not of a commit", () => {
    const { finishedAt: _, ...unfinished } = whole
    const html = page({ ...unfinished, quick: true, versions: { ...whole.versions, commit: "0123 with changes" } })
    for (const note of ["Not finished", "A quick run", "Not a commit"]) {
      expect(html).toContain(`<strong>${note}</strong>`)
      expect(page(whole)).not.toContain(`<strong>${note}</strong>`)
    }
  })

  it("shows no throughput where the generator was the limit", () => {
    const bound = altered(quiet("anyport-bun", "hand-bun"), (trial) => ({
      ...trial,
      measures: { ...trial.measures, messages: 987_654, seconds: 2, serverCpu: 1.5 },
    }))
    expect(page(bound)).toContain("generator-bound")
    expect(page(bound)).not.toContain("494,000/s")
    expect(table(bound)).not.toContain("494,000/s")
  })
})

it("the method has the thirteen rules, each with how it is met", () => {
  const all = rules(figures(whole))
  expect(all.length).toBe(13)
  expect(all.every(({ met }) => met.length > 20 && !/undefined|NaN/.test(met))).toBe(true)
  expect(all[4]!.met).toContain("seed 17")
})

it.each([
  ["all", whole],
  ["nothing", altered(whole, () => undefined)],
  ["one trial", result({ trials: 1 })],
  ["a quick run", result({ cells: (id) => /^(echo-lines-64-50x|idle-1000$|start)/.test(id), trials: 3 })],
])("of %s each form is made, without a hole in it", (_, result) => {
  for (const made of [page(result), markdown(result), picture(result), table(result)]) {
    expect(made).not.toMatch(/undefined|NaN|Infinity|\[object/)
  }
})

it("the section of a README is a picture, a table of the runtimes, and what it was measured on", () => {
  const lines = markdown(whole).split("\n")
  expect(lines[0]).toMatch(/^!\[.+\]\(docs\/bench\.svg\)$/)
  expect(lines[2]).toBe("| CPU time a message (hand-written ÷ Anyport) | Node | Bun | Deno |")
  expect(lines[4]).toMatch(/^\| `Service\.respond`, one in flight \| 6\.\d\d µs, 0\.9\d \(0\.\d\d–\d\.\d\d\) \|/)
  expect(lines.at(-1)).toContain("`anyport bench --seed 17`")
})

it("a result makes the same page, section and picture each time", () => {
  for (const make of [page, markdown, picture, table]) expect(make(result())).toBe(make(whole))
})

it("the table has every contender of every cell, and the bars", () => {
  const text = table(whole)
  for (const { title } of whole.cells) expect(text).toContain(`${title}\n`)
  expect(text).toMatch(/ {2}Anyport on Bun +5\.\d\d µs \(.*\) +0\.9\d \(.*\) +[\d,]+\/s\n/)
  expect(text).toMatch(/\nBars\n {2}Service\.respond against hand-written, one in flight\n {4}Node {2}✓ 0\.9\d/)
})
