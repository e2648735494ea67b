/**
 * The flags of `anyport bench`, as text where others read them. What they mean together is `Ask.ts`'s.
 */
import type * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"

const text = (name: string, metavar: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar(metavar), Flag.withDescription(description), Flag.optional)

const texts = (name: string, metavar: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar(metavar), Flag.withDescription(description), Flag.atLeast(0))

const yes = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withoutNegation, Flag.withDescription(description), Flag.withDefault(false))

/** What a result is shown as. */
export const pages = {
  report: text("report", "file", "Write the result as one HTML page with charts"),
  markdown: text("markdown", "file", "Write what it says as Markdown"),
}

/** All flags of a run. */
export const flags = {
  quick: yes("quick", "Only what is most telling, in three minutes"),
  only: texts(
    "only",
    "scenario",
    "Only this: echo, latency, frozen, churn, idle, start, allocation, workers, or one cell such as echo-lines-64-50x16; may be given often",
  ),
  runtime: texts(
    "runtime",
    "runtime",
    "Only this runtime: node, bun or deno; or another version of one beside it: bun@1.3=PATH; may be given often",
  ),
  contender: texts(
    "contender",
    "name=command",
    "A server of your own that answers a line with `echo: ` before it, on the port that is put for {port}; may be given often",
  ),
  service: text("service", "module", "Compare the runtimes by a service of your own instead, under --client"),
  client: text("client", "module", "The simulation that asks it, as `anyport load` runs one"),
  generators: yes("generators", "Compare who makes the load instead of who serves"),
  seed: Flag.Int("seed").pipe(
    Flag.withMetavar("number"),
    Flag.filter((seed) => seed >= 0, (seed) => `Expected a number from 0, got ${seed}`),
    Flag.withDescription("What the random order of the trials begins with (default: another one each time)"),
    Flag.optional,
  ),
  json: text("json", "file", "Where every trial is kept (default: a new file among the temporary ones)"),
  ...pages,
  resume: text("resume", "file", "Take up the run that was ended and left this file, with the same flags"),
  bars: yes("bars", "Exit with 1 when a bar is missed"),
  // For trying the comparison itself: what they make is no comparison.
  seconds: Flag.String("seconds").pipe(Flag.withHidden, Flag.optional),
  trials: Flag.Int("trials").pipe(Flag.withHidden, Flag.optional),
}

type Given<Params> = {
  readonly [Name in keyof Params]: Params[Name] extends Flag.Flag<infer A> | Argument.Argument<infer A> ? A : never
}

/** What was given of where a page goes. */
export type Pages = Given<typeof pages>

/** What was given. */
export type Input = Given<typeof flags>
