/**
 * `anyport bench`, `anyport bench compare A B` and `anyport bench report FILE`: their flags. What they do is loaded when
 * they run.
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { flags, pages } from "./bench/flags.ts"

const file = (name: string) => Argument.String(name).pipe(Argument.withDescription("What --json wrote"))

const compare = Command.make(
  "compare",
  { before: file("before"), after: file("after") },
  ({ before, after }) =>
    Effect.flatMap(Effect.promise(() => import("./bench/pages.ts")), (pages) => pages.compare(before, after)),
).pipe(
  Command.withDescription("Say what changed between two results, and what cannot be told"),
  Command.withExamples([{
    command: "anyport bench compare before.json after.json",
    description: "Better, worse, or no difference shown",
  }]),
)

const report = Command.make(
  "report",
  { file: file("file"), ...pages },
  ({ file, ...rest }) =>
    Effect.flatMap(Effect.promise(() => import("./bench/pages.ts")), ({ report }) => report(file, rest)),
).pipe(
  Command.withDescription("Show a result again, and make its pages anew"),
  Command.withExamples([{
    command: "anyport bench report bench.json --report bench.html",
    description: "One HTML page with charts",
  }]),
)

/** `anyport bench`. The exit code is left in `exit`. */
export const bench = (exit: (code: number) => void) =>
  Command.make(
    "bench",
    flags,
    (input) => Effect.flatMap(Effect.promise(() => import("./bench/main.ts")), ({ bench }) => bench(input, exit)),
  ).pipe(
    Command.withDescription("Compare Node, Bun and Deno, and Anyport with servers written by hand, on this machine"),
    Command.withSubcommands([compare, report]),
    Command.withExamples([
      { command: "anyport bench --quick", description: "The most telling figures, in three minutes" },
      {
        command: "anyport bench --json bench.json --report bench.html",
        description: "All of it; ended by Ctrl-C, it goes on with --resume bench.json",
      },
      {
        command: "anyport bench --service ./my-service.ts --client ./my-clients.ts",
        description: "Which runtime for a protocol of your own",
      },
    ]),
  )
