/** The page and the picture of a comparison in a real browser: nothing to complain of, nothing fetched, all of it inside. */
import { describe, expect, it } from "vitest"
import { page } from "../../bench/report/Page.ts"
import { picture } from "../../bench/report/Picture.ts"
import type { Result } from "../../bench/Result.ts"
import { altered, quiet, result } from "../bench/results.ts"
import { charts, views, visit } from "./charts.ts"

const visited = visit()
const { write } = visited

const long = "a contender of one's own with a name that nobody would give to anything"

const stories: ReadonlyArray<readonly [name: string, charts: number, result: Result]> = [
  ["all that there is", 18, result()],
  ["noise, and many trials that do not count", 18, result({ seed: 5, noise: 0.05, voids: 30 })],
  ["two contenders", 6, quiet("anyport-bun", "hand-bun")],
  ["one trial of each", 18, result({ trials: 1, voids: 0 })],
  ["a run that has not begun", 15, altered(result(), () => undefined)],
  ["a contender with a long name", 6, {
    ...quiet("anyport-bun", "hand-bun", "go"),
    contenders: quiet("anyport-bun", "hand-bun", "go").contenders.map((one) =>
      one.id === "go" ? { ...one, family: "custom", title: long } : one
    ),
  }],
]

describe.each(stories)("the page of %s", (name, count, result) => {
  const url = write(`${name}.html`, page(result))

  it.each(views)("is whole and quiet, %s", async (_, view) => {
    await visited.browser.open(url, view)
    expect(await visited.browser.evaluate(charts)).toEqual({ count, wrong: [] })
    expect(await visited.browser.evaluate("document.documentElement.scrollWidth")).toBe(view.width ?? 1_280)
    expect(visited.browser.complaints).toEqual([])
    expect(visited.browser.requests).toEqual([url])
  })
})

it("tells of a trial that does not count what spoilt it", async () => {
  await visited.browser.open(write("void.html", page(result({ voids: 30 }))))
  const [void_] = await visited.browser.evaluate(
    `[...document.querySelectorAll("circle.void > title")].map(({ textContent }) => textContent)`,
  ) as ReadonlyArray<string> // what the expression makes
  expect(void_).toMatch(/^round \d: .*; void: others took 9\.4 % of the server's core/)
})

describe("the picture", () => {
  const url = write("bench.svg", picture(result()))
  // As a README shows it.
  const shown = write("readme.html", `<!doctype html><title>x</title><img src="bench.svg" width="820" alt="">`)

  it.each(["light", "dark"] as const)("is an image of its size, %s", async (scheme) => {
    await visited.browser.open(shown, { scheme })
    expect(await visited.browser.evaluate("document.querySelector('img').naturalWidth")).toBe(820)
    expect(visited.browser.complaints).toEqual([])
    expect(visited.browser.requests).toEqual([shown, url])
  })

  it.each([
    ["all", result()],
    ["a few", quiet("anyport-bun", "hand-bun", "go")],
  ])("has all that it shows inside, of %s", async (name, result) => {
    await visited.browser.open(write(`picture ${name}.svg`, picture(result)))
    const outside = await visited.browser.evaluate(`(() => {
      const { width, height } = document.documentElement.viewBox.baseVal
      return [...document.querySelectorAll("text, rect, line")].filter((element) => {
        const box = element.getBBox()
        return box.x < 0 || box.y < 0 || box.x + box.width > width || box.y + box.height > height
      }).map((element) => element.outerHTML)
    })()`)
    expect(outside).toEqual([])
    // Names and figures do not lie on each other.
    const covered = await visited.browser.evaluate(`(() => {
      const all = [...document.querySelectorAll("text")].map((text) => [text.textContent, text.getBBox()])
      return all.flatMap(([text, one], index) => all.slice(index + 1).flatMap(([other, two]) =>
        one.x + one.width < two.x || two.x + two.width < one.x || one.y + one.height < two.y + 3 || two.y + two.height < one.y + 3
          ? [] : [text + " covers " + other]))
    })()`)
    expect(covered).toEqual([])
    expect(visited.browser.complaints).toEqual([])
  })
})
