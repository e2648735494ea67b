/**
 * What `anyport bench` does: finds who takes part, makes the trials, keeps each one in a file as soon as it is made, and
 * says what came of them.
 *
 * Exit codes: 0 done · 1 a contender could not be measured, or with --bars a bar was missed · 2 bad usage · 130, 143 ended
 * by a signal: the trial that was being made is lost, the others are kept.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { mkdtempSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { basename, dirname, join, resolve } from "node:path"
import process from "node:process"
import * as Bench from "../../bench/Bench.ts"
import type { Contenders } from "../../bench/Contenders.ts"
import * as Generator from "../../bench/Generator.ts"
import * as Machine from "../../bench/Machine.ts"
import * as Plan from "../../bench/Plan.ts"
import { allowed, pin } from "../../bench/Program.ts"
import { format, type Result, type Trial, version as formatVersion } from "../../bench/Result.ts"
import * as ResultFile from "../../bench/ResultFile.ts"
import * as Signals from "../../ops/signals.ts"
import { program } from "../../ops/workers/Command.ts"
import { writable } from "../file.ts"
import { UsageError } from "../UsageError.ts"
import { version } from "../version.ts"
import * as Ask from "./Ask.ts"
import * as Entrants from "./Entrants.ts"
import type { Input } from "./flags.ts"
import * as Pages from "./pages.ts"
import { announce, Progress, say } from "./Progress.ts"

/** Does what the flags say. The exit code is left in `exit`. */
export const bench = Effect.fnUntraced(function* (input: Input, exit: (code: number) => void) {
  const ask = yield* Ask.make(input)
  yield* writable(Pages.filesOf(input))
  yield* able
  const before = yield* Effect.transposeOption(Option.map(input.resume, (file) => Pages.read(file, "--resume")))
  const signal = yield* Signals.listen((signal) => process.exit(Signals.exitCode(signal)))
  const { plan, tools, described } = yield* prepare(ask, Option.getOrUndefined(before))
  if (Option.isSome(before)) {
    const why = ResultFile.differs(before.value, described)
    if (why !== undefined) return yield* fail(`--resume ${Option.getOrNull(input.resume)}: ${why}`)
  }
  const trials = Option.match(before, { onNone: () => [], onSome: ({ trials }) => trials })
  const startedAt = Option.match(before, { onNone: () => described.startedAt, onSome: ({ startedAt }) => startedAt })
  const file = resolve(Option.getOrElse(Option.orElse(input.json, () => input.resume), temporary))
  const keep = (result: Result): void => {
    // Whenever the process ends, the file is whole.
    writeFileSync(`${file}.part`, ResultFile.encode(result))
    renameSync(`${file}.part`, file)
  }
  say(announce(plan, trials, described.generator))
  for (const { name, reason } of described.missing) say(`Missing: ${name}: ${reason}`)
  const stop = new AbortController()
  const waiting = yield* Effect.forkChild(Effect.tap(signal, () => Effect.sync(() => stop.abort())))
  const progress = new Progress(plan)
  const done = yield* Effect.promise(() =>
    Bench.run(plan, trials, tools, {
      begins: (steps) => progress.begins(steps),
      made: (made, trials) => {
        keep({ ...described, startedAt, trials })
        progress.made(made, trials)
      },
      gaveUp: (contender, reason) => say(`${contender} is asked no more: ${reason}`),
      stop: stop.signal,
    })
  )
  const result: Result = {
    ...described,
    startedAt,
    missing: [...described.missing, ...done.missing],
    trials: done.trials,
    ...done.finished ? { finishedAt: new Date().toISOString() } : {},
  }
  keep(result)
  if (!done.finished) {
    say(`Ended. ${done.trials.length} trials are in ${file}; go on with the same flags and --resume ${file}`)
    return exit(Signals.exitCode(yield* Fiber.join(waiting)))
  }
  yield* Fiber.interrupt(waiting)
  const missed = yield* Pages.tell(result, input)
  say(`Every trial is in ${file}`)
  exit(done.missing.length > 0 || (input.bars && missed > 0) ? 1 : 0)
})

// Deno shows /proc only to whom everything is granted, and nothing here asks for that.
const able: Effect.Effect<void, UsageError> = Effect.suspend(() => {
  try {
    readFileSync("/proc/self/smaps_rollup")
    return Effect.void
  } catch {
    return fail(
      "Cannot measure here: CPU time and memory of others are read from Linux's /proc, which this process may not; " +
        "run it on Linux with Node or Bun (Deno takes part all the same)",
    )
  }
})

const temporary = (): string => join(mkdtempSync(join(tmpdir(), "anyport-bench-")), "bench.json")

/** All that is known before the first trial. */
const prepare = Effect.fnUntraced(function* (ask: Ask.Ask, before: Result | undefined) {
  const cores = availableParallelism()
  const all = allowed()
  const cpus = pin()
  const drafts = Ask.draftsOf(ask, cores - 1)
  const asked = drafts.filter(({ cell }) => Plan.isAsked(cell, ask))
  const { generator, missing: worse } = yield* Effect.promise(() => Generator.make({ main: Entrants.main }))
  const simulators = ask.kind === "generators"
    ? yield* Effect.promise(() => Generator.generators({ main: Entrants.main }))
    : { present: [], missing: [] }
  const found: Contenders = ask.kind === "generators"
    ? { present: simulators.present.map(Entrants.entrant), missing: simulators.missing }
    : yield* Entrants.find(ask, asked)
  const again = program("--client", false)
  if ("problem" in again) return yield* fail(again.problem)
  const plan = Plan.make({
    drafts,
    contenders: found.present,
    seed: ask.seed ?? before?.seed ?? Date.now() % 1_000_000,
    quick: ask.quick,
    only: ask.only,
    seconds: ask.seconds,
    trials: ask.trials,
  })
  const crowded = ask.kind === "runtimes" && cores < 3 && (ask.only.length === 0 || ask.only.includes("workers"))
    ? [{
      name: "workers",
      reason: `there are ${cores} cores, one of them is the generator's, and two servers want two`,
    }]
    : []
  const missing = [...worse, ...found.missing, ...ask.quick ? [] : crowded]
  if (plan.steps.length === 0) {
    const why = missing.map(({ name, reason }) => `${name}: ${reason}`).join("; ")
    return yield* fail(
      `Nothing is left to compare${why === "" ? ": --only and --runtime exclude everything" : ` (${why})`}`,
    )
  }
  const programs = new Map(found.present.map((program) => [program.id, program]))
  const taking = found.present.filter(({ id }) => plan.contenders.some((contender) => contender.id === id))
  const described: Omit<Result, "trials"> & { readonly trials: ReadonlyArray<Trial> } = {
    format,
    version: formatVersion,
    startedAt: new Date().toISOString(),
    command: ["anyport", ...measuring(process.argv.slice(2))].map(shown).join(" "),
    seed: plan.seed,
    quick: plan.quick,
    generator: ask.own === undefined ? generator.title : `anyport load ${basename(ask.own.client)}`,
    machine: Machine.describe({ pinned: cpus, cores, warmup: plan.warmup, seconds: plan.seconds }),
    versions: yield* Effect.promise(() => Machine.versions(version, taking)),
    missing,
    contenders: taking.map(({ id, title, family, runtime, command }) => ({
      id,
      title,
      family,
      command: command.split(" ").map(shown).join(" "),
      ...runtime === undefined ? {} : { runtime },
    })),
    cells: plan.cells,
    trials: [],
  }
  const tools = {
    main: Entrants.main,
    generator,
    programs,
    simulators: new Map(simulators.present.map((one) => [one.id, one])),
    pong: Generator.pong({ main: Entrants.main }),
    client: ask.own === undefined ? undefined : [...again, "load", ask.own.client],
    allowed: all,
    cpus,
  }
  return { plan, tools, described }
})

/** The arguments without the files that are read and written: they say nothing of what is measured. */
const measuring = (args: ReadonlyArray<string>): ReadonlyArray<string> => {
  const files = /^--(json|report|markdown|resume)(=|$)/
  return args.filter((arg, index) => !files.test(arg) && files.exec(args[index - 1] ?? "")?.[2] !== "")
}

/** A word of a command without the folders of this machine. */
const shown = (word: string): string =>
  [`${process.cwd()}/`, `${dirname(dirname(Entrants.main))}/`].reduce(
    (text, folder) => text.replaceAll(folder, ""),
    word,
  )

const fail = (message: string): Effect.Effect<never, UsageError> => Effect.fail(new UsageError({ message }))
