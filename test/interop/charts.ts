/** What a page of charts is looked at for, and how: the same for all pages. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { afterAll, beforeAll } from "vitest"
import { Browser, type View } from "./browser.ts"

/** A browser for the tests of a file, and a folder for what it looks at. */
export const visit = (): { readonly browser: Browser; readonly write: (name: string, content: string) => string } => {
  const folder = mkdtempSync(join(tmpdir(), "anyport-page-"))
  let browser: Browser | undefined
  beforeAll(async () => {
    browser = await Browser.start()
  })
  afterAll(async () => {
    await browser?.stop()
    rmSync(folder, { recursive: true })
  })
  return {
    get browser() {
      return browser! // from the first test on
    },
    write: (name, content) => {
      const path = join(folder, name)
      writeFileSync(path, content)
      return pathToFileURL(path).href
    },
  }
}

/** What is wrong with the charts of the page that is open. Runs in the page. */
export const charts = `(() => {
  const wrong = []
  const all = [...document.querySelectorAll("figure > svg")]
  for (const svg of all) {
    const name = svg.getAttribute("aria-label")
    const { width, height } = svg.viewBox.baseVal
    for (const element of svg.querySelectorAll("*")) {
      for (const { name: key, value } of element.attributes) {
        if (/NaN|Infinity|undefined/.test(value)) wrong.push(name + ": " + key + "=" + value)
      }
      if (!element.getBBox || element.closest(".at") || element.tagName === "desc") continue
      const box = element.getBBox()
      const slack = 2
      if (box.x < -slack || box.y < -slack || box.x + box.width > width + slack || box.y + box.height > height + slack) {
        wrong.push(name + ": " + element.outerHTML + " is outside: " + [box.x, box.y, box.width, box.height])
      }
    }
    // What the pointer shows may reach into the margin of the figure.
    for (const text of svg.querySelectorAll(".at > text")) {
      const { x, width: wide } = text.getBBox()
      if (x < 0 || x + wide > width + 10) wrong.push(name + ": " + text.textContent + " is too long: " + wide)
    }
    const ticks = [...svg.querySelectorAll(".tick")].map((tick) => [tick.textContent, tick.getBBox()])
    for (const [index, [text, one]] of ticks.entries()) for (const [other, two] of ticks.slice(index + 1)) {
      const apart = one.x + one.width < two.x || two.x + two.width < one.x || one.y + one.height <= two.y + 2 || two.y + two.height <= one.y + 2
      if (!apart) wrong.push(name + ": " + text + " covers " + other)
    }
    if (svg.getBoundingClientRect().width < 250) wrong.push(name + " is small")
    for (const path of svg.querySelectorAll("path")) {
      if (path.getTotalLength() < 100) wrong.push(name + ": a line is short")
    }
  }
  return { count: all.length, wrong }
})()`

/** In which windows a page is looked at. */
export const views: ReadonlyArray<readonly [name: string, view: View]> = [
  ["light", { scheme: "light" }],
  ["dark", { scheme: "dark" }],
  ["on a phone", { width: 400, height: 800 }],
  ["on a narrow phone, dark", { width: 340, height: 700, scheme: "dark" }],
]
