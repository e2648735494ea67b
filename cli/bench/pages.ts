/**
 * What a result is shown as: a table in the terminal, pages in files, and what changed since another one.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { writeFileSync } from "node:fs"
import { resolve } from "node:path"
import process from "node:process"
import { bars } from "../../bench/Bars.ts"
import * as Compare from "../../bench/Compare.ts"
import { figures } from "../../bench/Figures.ts"
import { markdown } from "../../bench/report/Markdown.ts"
import { page } from "../../bench/report/Page.ts"
import { table } from "../../bench/report/Table.ts"
import type { Result } from "../../bench/Result.ts"
import * as ResultFile from "../../bench/ResultFile.ts"
import { isProblem } from "../../load/Problem.ts"
import * as File from "../file.ts"
import { UsageError } from "../UsageError.ts"
import type { Pages } from "./flags.ts"

/** The files that flags name. */
export const filesOf = (
  { json = Option.none(), report, markdown }: Pages & { readonly json?: Option.Option<string> },
): ReadonlyArray<readonly [flag: string, file: string]> =>
  ([["--json", json], ["--report", report], ["--markdown", markdown]] as const).flatMap(([flag, file]) =>
    Option.isNone(file) ? [] : [[flag, file.value] as const]
  )

/** Shows a result and writes its pages. Returns how many bars it misses. */
export const tell = Effect.fnUntraced(function* (result: Result, pages: Pages) {
  const texts = { "--json": undefined, "--report": page, "--markdown": markdown }
  for (const [flag, file] of filesOf(pages)) {
    const text = texts[flag as keyof typeof texts]?.(result) // as filesOf names them
    if (text === undefined) continue
    yield* Effect.try({
      try: () => writeFileSync(resolve(file), text.endsWith("\n") ? text : `${text}\n`),
      catch: (cause) => new Error(`${flag} ${file}: ${cause instanceof Error ? cause.message : String(cause)}`),
    })
  }
  yield* put(table(result))
  return bars(figures(result)).filter(({ outcome }) => outcome._tag === "Missed").length
})

/** `anyport bench report FILE`. */
export const report = Effect.fnUntraced(function* (file: string, pages: Pages) {
  yield* File.writable(filesOf(pages))
  yield* tell(yield* read(file), pages)
})

/** `anyport bench compare BEFORE AFTER`. */
export const compare = Effect.fnUntraced(function* (before: string, after: string) {
  const [one, other] = [yield* read(before), yield* read(after)]
  yield* put(Compare.text(Compare.compare(one, other)))
})

/** The result in a file. `flag` is what named it, if that was one. */
export const read = Effect.fnUntraced(function* (file: string, flag?: string): Effect.fn.Return<Result, UsageError> {
  const result = ResultFile.decode(yield* File.read(file))
  if (!isProblem(result)) return result
  return yield* new UsageError({ message: `${flag === undefined ? "" : `${flag} `}${file}: ${result.problem}` })
})

/** Whoever ends the process at once would cut off what a pipe has not taken. */
const put = (text: string): Effect.Effect<void> =>
  Effect.promise(() =>
    new Promise<void>((done) => {
      process.stdout.on("error", () => done())
      process.stdout.write(text.endsWith("\n") ? text : `${text}\n`, () => done())
    })
  )
