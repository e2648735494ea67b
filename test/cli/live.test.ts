/** What is seen of a run while it goes: on a terminal that a test reads, and where there is none. */
import { expect, it } from "vitest"
import * as View from "../../cli/load/live.ts"
import type { Second } from "../../cli/load/Second.ts"
import { histogram, record } from "../../load/Recorder.ts"

const terminal = (changes: Partial<View.Terminal> = {}) => {
  let text = ""
  const view = View.make({
    isTTY: true,
    columns: 80,
    color: true,
    write: (more) => {
      text += more
    },
    ...changes,
  })
  return { view, text: () => text }
}

const second = (number: number, changes: Partial<Second> = {}): Second => {
  const response = histogram()
  for (let index = 1; index <= 100; index++) record(response, index)
  return {
    at: number * 1_000,
    length: 1_000,
    replies: 1_000 * number,
    errors: 0,
    connections: 50,
    inFlight: 7,
    response,
    ...changes,
  }
}

const course: View.Course = { title: "tcp://127.0.0.1:9000  closed", warmup: 500, duration: 10_000, connections: 50 }

/** What a terminal shows in the end: each step up is followed by erasing what was there. */
const shown = (text: string): ReadonlyArray<string> => {
  const lines: Array<string> = []
  // deno-lint-ignore no-control-regex -- these are the steps
  for (const part of text.split(/(\x1b\[\d+A\x1b\[J)/)) {
    const up = /\[(\d+)A/.exec(part)?.[1]
    if (up !== undefined) lines.splice(lines.length - Number(up))
    // deno-lint-ignore no-control-regex -- colours and the cursor
    else lines.push(...part.replace(/\x1b\[[?\d]+[mhl]/g, "").split("\n").slice(0, -1))
  }
  return lines
}

it("a terminal shows the last second, how far it is, and how the rate went", () => {
  const { view, text } = terminal()
  view.begin(course)
  expect(shown(text())).toEqual([course.title, "connecting 50"])
  view.connected(49)
  expect(shown(text())).toEqual([course.title, "49 of 50 connected, warming up for 500 ms"])
  for (const number of [1, 2, 3, 4]) view.second(second(number, { errors: number === 3 ? 2 : 0 }))
  const [title, progress, rate, percentiles, errors] = shown(text())
  expect(title).toBe(course.title)
  expect(progress).toMatch(/^█{12}░{18} {2}4 s of 10 s$/)
  expect(rate).toMatch(/^4,000\/s +▃▅▆█$/)
  expect(percentiles).toBe("p50 50 ms   p90 90 ms   p99 99 ms   max 100 ms")
  expect(errors).toBe("2 errors   50 connections   7 in flight")
})

it("the cursor is hidden once and there again at the end, with nothing left but what was noted", () => {
  const { view, text } = terminal()
  view.begin(course)
  view.second(second(1))
  view.note("a trial")
  view.second(second(2))
  view.end()
  view.end()
  expect(text().split("\x1b[?25l").length).toBe(2)
  expect(text().endsWith("\x1b[?25h")).toBe(true)
  expect(text().split("\x1b[?25h").length).toBe(2)
  expect(shown(text())).toEqual(["a trial"])
})

it("no line is longer than the terminal is wide, and none has a colour where there is to be none", () => {
  const narrow = terminal({ columns: 20 })
  narrow.view.begin(course)
  narrow.view.second(second(1))
  for (const line of shown(narrow.text())) expect(line.length).toBeLessThan(20)
  const plain = terminal({ color: false })
  plain.view.begin(course)
  plain.view.second(second(1, { errors: 1 }))
  // deno-lint-ignore no-control-regex -- a colour
  expect(plain.text()).not.toMatch(/\x1b\[\d+m/)
})

it("elsewhere it is a line a second, without anything that moves", () => {
  const { view, text } = terminal({ isTTY: false })
  view.begin(course)
  view.connected(50)
  view.second(second(1, { errors: 1 }))
  view.second(second(2, { response: histogram() }))
  view.second(second(2, { at: 2_040, length: 40 }))
  view.end()
  expect(text()).toBe([
    course.title,
    "50 connected",
    "   1 s  1,000/s  p50 50 ms  p90 90 ms  p99 99 ms  max 100 ms  1 error  50 connections",
    "   2 s  2,000/s  no reply  0 errors  50 connections",
    "",
  ].join("\n"))
})
