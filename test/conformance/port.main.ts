/**
 * Runs the port's conformance cases in the process of one runtime.
 *
 *     node port.main.ts DIRECTORY AREA...
 *
 * Prints one JSON line a case: `{ name, outcome: "passed" | "failed" | "skipped", detail? }`. It does not judge: the
 * exit code is 0 whatever fails.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import process from "node:process"
import { layer } from "../../adapters/auto.ts"
import { type Area, type Result, runCase, suite } from "./clauses/index.ts"

const [directory = "", ...areas] = process.argv.slice(2)

const print = (result: Result): void => console.log(JSON.stringify(result))

const program = Effect.forEach(
  suite(directory).filter((one) => areas.includes(one.area satisfies Area)),
  (one) => Effect.map(runCase(one), print),
  { discard: true },
)

const exit = await Effect.runPromiseExit(Effect.provide(program, layer))
if (Exit.isFailure(exit)) print({ name: "the suite", outcome: "failed", detail: Cause.pretty(exit.cause) })
process.exit(0)
