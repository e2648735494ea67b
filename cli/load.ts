/**
 * `anyport load TARGET` and `anyport load merge FILE…`: their flags. What they do is loaded when they run.
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { flags, outputs } from "./load/flags.ts"

const merge = (exit: (code: number) => void) =>
  Command.make("merge", {
    files: Argument.String("file").pipe(
      Argument.withDescription("What --json wrote, of runs that went at the same time"),
      Argument.atLeast(1),
    ),
    ...outputs,
  }, ({ files, ...rest }) =>
    Effect.flatMap(
      Effect.promise(() => import("./load/merging.ts")),
      ({ mergeFiles }) => mergeFiles(files, rest, exit),
    ))
    .pipe(
      Command.withDescription("Add results of many machines, by their histograms: no percentile is averaged"),
      Command.withExamples([{
        command: "anyport load merge a.json b.json --report all.html",
        description: "Two results as one",
      }]),
    )

/** `anyport load`. The exit code is left in `exit`. */
export const load = (exit: (code: number) => void) =>
  Command.make(
    "load",
    flags,
    (input) => Effect.flatMap(Effect.promise(() => import("./load/main.ts")), ({ load }) => load(input, exit)),
  ).pipe(
    Command.withDescription("Make load on any TCP server, and measure it without leaving out who had to wait"),
    Command.withSubcommands([merge(exit)]),
    Command.withExamples([
      {
        command: "anyport load tcp://127.0.0.1:9000",
        description: "50 connections, each with one request after the other, for 10 seconds",
      },
      {
        command: "anyport load tcp://127.0.0.1:9000 --rate 5k --duration 30s --threshold 'p99<50ms'",
        description: "5,000 requests a second, whatever the server does; 99 if more than 1 % took longer than 50 ms",
      },
    ]),
  )
