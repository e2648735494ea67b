/**
 * Where a result goes. That it can go there is asked before the run: nobody wants to hear it behind an hour of load.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { writeFileSync } from "node:fs"
import { resolve } from "node:path"
import process from "node:process"
import { encode, type Result } from "../../load/Result.ts"
import { summary } from "../../load/Summary.ts"
import { writable } from "../file.ts"
import type { UsageError } from "../UsageError.ts"
import type { Outputs } from "./flags.ts"

/** Refuses files that could not be written. */
export const check = (outputs: Outputs): Effect.Effect<void, UsageError> => writable(filesOf(outputs))

/** A result as the texts that it can be written as. */
export interface Texts {
  readonly text: () => string
  readonly json: () => string
  readonly report?: () => Promise<string>
  readonly hgrm?: () => Promise<string>
}

/** Writes a result everywhere, and says which files could not be written, a line for each. */
export const write = (result: Result, outputs: Outputs): Effect.Effect<ReadonlyArray<string>> =>
  tell(outputs, {
    text: () => summary(result),
    json: () => encode(result),
    report: async () => (await import("../../load/report/Report.ts")).html(result),
    hgrm: async () => {
      const { response } = result.latency
      return response === undefined ? "" : (await import("../../load/Hgrm.ts")).hgrm(response)
    },
  })

/** Writes texts to where the flags say, likewise. */
export const tell = (outputs: Outputs, texts: Texts): Effect.Effect<ReadonlyArray<string>> =>
  Effect.promise(async () => {
    const problems: Array<string> = []
    for (const [flag, file, name] of filesOf(outputs)) {
      try {
        writeFileSync(resolve(file), await texts[name]?.() ?? "")
      } catch (error) {
        problems.push(`${flag} ${file}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
    if (isJsonOnStdout(outputs)) {
      await put(process.stdout, texts.json())
      if (!outputs.quiet) await put(process.stderr, texts.text())
    } else await put(process.stdout, texts.text())
    return problems
  })

const isJsonOnStdout = ({ json }: Outputs): boolean => Option.contains(json, "-")

const filesOf = (
  { json, report, hgrm }: Outputs,
): ReadonlyArray<readonly [flag: string, file: string, name: "json" | "report" | "hgrm"]> =>
  ([["json", json], ["report", report], ["hgrm", hgrm]] as const).flatMap(([name, file]) =>
    Option.isNone(file) || (name === "json" && file.value === "-") ? [] : [[`--${name}`, file.value, name] as const]
  )

/** Who ends the process at once would cut off what a pipe has not taken. A reader that is gone need not be told. */
const put = (stream: NodeJS.WriteStream, text: string): Promise<void> =>
  new Promise((done) => {
    stream.on("error", () => done())
    stream.write(text, () => done())
  })
