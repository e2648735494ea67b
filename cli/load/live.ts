/**
 * What is seen of a run while it goes, on stderr: in a terminal a few lines that are drawn over, elsewhere one line a second.
 *
 * It is drawn when a second was measured and never in between, so that whoever watches costs the generator nothing that it
 * would notice. Nothing here has a timer.
 */
import process from "node:process"
import * as Units from "../../load/Units.ts"
import * as Permissions from "../../ops/permissions.ts"
import type { Second } from "./Second.ts"

/** What is shown of a run. */
export interface Course {
  /** What it is against, and how. */
  readonly title: string
  /** Milliseconds. */
  readonly warmup: number
  readonly duration: number
  readonly connections: number
}

/** Where a run is shown. */
export interface View {
  /** A run begins to connect. */
  begin(course: Course): void
  /** So many connections are there; sending begins. */
  connected(count: number): void
  second(second: Second): void
  /** A line that stays. */
  note(line: string): void
  /** Nothing more is shown; the terminal is as it was. May be called twice. */
  end(): void
}

/** Shows nothing. */
export const none: View = { begin() {}, connected() {}, second() {}, note() {}, end() {} }

/** What a view writes to: stderr, or a test's. */
export interface Terminal {
  readonly isTTY: boolean
  readonly columns: number
  readonly color: boolean
  write(text: string): void
}

/** The view that fits where stderr goes. */
export const make = (terminal: Terminal = stderr()): View => terminal.isTTY ? new Drawing(terminal) : lines(terminal)

const stderr = (): Terminal => ({
  isTTY: process.stderr.isTTY === true,
  // Asked each time, because a window changes its size.
  get columns() {
    return process.stderr.columns ?? 80
  },
  color: mayColor(),
  write: (text) => void process.stderr.write(text),
})

// Deno tells NO_COLOR unasked.
const mayColor = (): boolean => {
  const { Deno } = globalThis as { readonly Deno?: { readonly noColor: boolean } } // its types are not here
  if (Deno?.noColor === true) return false
  if (!Permissions.granted({ name: "env", variable: "NO_COLOR" })) return true
  return (process.env["NO_COLOR"] ?? "") === ""
}

// ── A line a second ────────────────────────────────────────────────────────────────────────────────────────────────

const lines = ({ write }: Terminal): View => ({
  begin: ({ title }) => write(`${title}\n`),
  connected: (count) => write(`${Units.count(count)} connected\n`),
  second(second) {
    if (second.length < shortest) return
    write(
      [
        Units.time(Math.round(second.at / 100) * 100).padStart(6),
        Units.rate(rateOf(second)),
        ...percentiles(second),
        errorsOf(second),
        `${Units.count(second.connections)} connections`,
      ].join("  ") + "\n",
    )
  },
  note: (line) => write(`${line}\n`),
  end() {},
})

/** What is left of a second at the end has no rate worth telling, in milliseconds. */
const shortest = 500

const rateOf = ({ replies, length }: Second): number => length <= 0 ? 0 : Math.round((replies * 1_000) / length)

const shown = [["p50", 50], ["p90", 90], ["p99", 99], ["max", 100]] as const

const percentiles = ({ response }: Second): ReadonlyArray<string> =>
  response.totalCount === 0
    ? ["no reply"]
    : shown.map(([name, at]) =>
      `${name} ${Units.latency(Math.min(response.maxValue, response.getValueAtPercentile(at)))}`
    )

const errorsOf = ({ errors }: Pick<Second, "errors">): string =>
  `${Units.count(errors)} error${errors === 1 ? "" : "s"}`

// ── In a terminal ──────────────────────────────────────────────────────────────────────────────────────────────────

const hide = "\x1b[?25l"
const show = "\x1b[?25h"
const sparks = "▁▂▃▄▅▆▇█"
const barWidth = 30

class Drawing implements View {
  readonly #terminal: Terminal
  #course: Course = { title: "", warmup: 0, duration: 0, connections: 0 }
  #rates: Array<number> = []
  #errors = 0
  #drawn = 0
  #hidden = false

  constructor(terminal: Terminal) {
    this.#terminal = terminal
  }

  begin(course: Course): void {
    this.#course = course
    this.#rates = []
    this.#errors = 0
    this.#draw([course.title, `connecting ${Units.count(course.connections)}`])
  }

  connected(count: number): void {
    const { title, warmup, connections } = this.#course
    const next = warmup > 0 ? `warming up for ${Units.time(warmup)}` : "measuring"
    this.#draw([title, `${Units.count(count)} of ${Units.count(connections)} connected, ${next}`])
  }

  second(second: Second): void {
    const { title, duration } = this.#course
    const rate = rateOf(second)
    this.#errors += second.errors
    if (second.length >= shortest) this.#rates.push(rate)
    const done = duration === 0 ? 1 : Math.min(1, second.at / duration)
    const filled = Math.round(done * barWidth)
    const bar = `${"█".repeat(filled)}${this.#in(dim, "░".repeat(barWidth - filled))}`
    const errors = errorsOf({ errors: this.#errors })
    this.#draw([
      title,
      `${bar}  ${Units.time(Math.round(second.at / 1_000) * 1_000)} of ${Units.time(duration)}`,
      `${Units.rate(rate).padEnd(14)}${this.#in(cyan, sparkline(this.#rates.slice(-40)))}`,
      percentiles(second).join("   "),
      `${this.#errors === 0 ? errors : this.#in(red, errors)}   ${Units.count(second.connections)} connections   ${
        Units.count(second.inFlight)
      } in flight`,
    ])
  }

  note(line: string): void {
    this.#erase()
    this.#terminal.write(`${line}\n`)
  }

  end(): void {
    this.#erase()
    if (this.#hidden) this.#terminal.write(show)
    this.#hidden = false
  }

  #draw(lines: ReadonlyArray<string>): void {
    this.#erase()
    const { columns } = this.#terminal
    const text = lines.map((line) => `${cut(line, columns - 1)}\n`).join("")
    this.#terminal.write(this.#hidden ? text : hide + text)
    this.#hidden = true
    this.#drawn = lines.length
  }

  #erase(): void {
    if (this.#drawn > 0) this.#terminal.write(`\x1b[${this.#drawn}A\x1b[J`)
    this.#drawn = 0
  }

  #in(color: number, text: string): string {
    return this.#terminal.color && text !== "" ? `\x1b[${color}m${text}\x1b[0m` : text
  }
}

const dim = 2
const red = 31
const cyan = 36

const sparkline = (values: ReadonlyArray<number>): string => {
  const most = Math.max(1, ...values)
  return values.map((value) => sparks[Math.round((value / most) * (sparks.length - 1))]).join("")
}

/** So much of a line as fits, for one that is broken would be drawn over in part. Colours have no width. */
const cut = (line: string, width: number): string => {
  let seen = 0
  let text = ""
  // deno-lint-ignore no-control-regex -- these are the colours that are written here
  for (const part of line.match(/\x1b\[\d+m|[\s\S]/gu) ?? []) {
    if (part.length > 1 && part.startsWith("\x1b")) text += part
    else if (seen++ < width) text += part
  }
  return text
}
