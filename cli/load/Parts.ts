/**
 * A run by several processes: each does its part, they begin together, and their results are added.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Scope } from "effect/Scope"
import { type ChildProcess, spawn } from "node:child_process"
import { merge } from "../../load/Merge.ts"
import { isProblem } from "../../load/Problem.ts"
import { decode, type Result } from "../../load/Result.ts"
import type { Ask } from "./Ask.ts"
import type { Watch } from "./Local.ts"
import type { Order, Report } from "./Part.ts"
import * as Second from "./Second.ts"

/** Processes that are there. */
export interface Parts {
  /** One run of all of them. Undefined where none of them has a result. */
  run(ask: Ask, at: { readonly rate: number; readonly duration: number } | undefined, watch: Watch): Effect.Effect<
    Result | undefined
  >
  /** Those that died, and how. */
  readonly dead: ReadonlyArray<string>
}

/** Starts a process by each command. They end with the scope. */
export const make = Effect.fnUntraced(function* (
  commands: ReadonlyArray<ReadonlyArray<string>>,
): Effect.fn.Return<Parts, never, Scope> {
  const dead: Array<string> = []
  const processes = yield* Effect.acquireRelease(
    Effect.sync(() => commands.map((command) => new Process(command, (how) => dead.push(how)))),
    (processes) => Effect.forEach(processes, (one) => one.end, { concurrency: "unbounded", discard: true }),
  )
  return {
    dead,
    run: Effect.fnUntraced(function* (ask, at, watch) {
      const seconds = new Seconds(() => processes.filter(({ isThere }) => isThere), watch.second)
      const order: Order = { _tag: "Run", ...at === undefined ? {} : { at } }
      const turns = processes.map((one) => one.run(order, (second) => seconds.add(one, second)))
      const all = <A>(of: (turn: Turn) => Deferred.Deferred<A>): Effect.Effect<ReadonlyArray<A>> =>
        Effect.forEach(turns, (turn) => Deferred.await(of(turn)))
      const tell = (order: Order) => Effect.sync(() => processes.forEach((one) => one.tell(order)))
      const results = yield* Effect.scoped(Effect.gen(function* () {
        yield* Effect.forkScoped(Effect.andThen(watch.stop, tell({ _tag: "Stop" })))
        const counts = yield* all(({ connected }) => connected)
        yield* watch.ready(counts.reduce((sum, count) => sum + count, 0))
        yield* tell({ _tag: "Start" })
        return yield* all(({ done }) => done)
      }))
      const result = together(results.filter((result) => result !== undefined))
      if (result === undefined) return undefined
      const { connections, stages } = ask.plan
      return {
        ...result,
        // What was asked for is that also where a process of them is gone.
        plan: { ...result.plan, connections, stages },
        warnings: [
          ...result.warnings,
          ...dead.map((how) => `A process of ${commands.length} ${how}: what it did is missing here`),
        ],
      }
    }),
  }
})

const together = (results: ReadonlyArray<Result>): Result | undefined => {
  if (results.length === 0) return undefined
  const merged = merge(results)
  // They have the plan of one command line.
  if (isProblem(merged)) throw new Error(merged.problem)
  return merged
}

/** What is awaited of a process in a run. */
interface Turn {
  readonly connected: Deferred.Deferred<number>
  readonly done: Deferred.Deferred<Result | undefined>
  readonly second: (second: Second.Second) => void
}

const endMillis = 2_000

class Process {
  isThere = true
  readonly #child: ChildProcess | undefined
  readonly #died: (how: string) => void
  readonly #ended = Deferred.makeUnsafe<void>()
  #ending = false
  #turn: Turn | undefined

  constructor([name, ...args]: ReadonlyArray<string>, died: (how: string) => void) {
    this.#died = died
    try {
      // What a process would print is no result.
      this.#child = spawn(name!, args, { stdio: ["ignore", "ignore", "inherit", "ipc"] }) // a command has a name
      this.#child.on("error", (error) => {
        // What could not be sent is an error as well; who is there still is known by its end.
        if (this.#child?.pid === undefined) this.#gone(`could not be started (${error.message})`)
      })
      this.#child.on("exit", (code, signal) => this.#gone(`died (${signal ?? `exit code ${code}`})`))
      this.#child.on("message", (message) => this.#heard(message as Report)) // it is this program
    } catch (error) {
      this.#gone(`could not be started (${error instanceof Error ? error.message : String(error)})`) // Bun and Deno throw
    }
  }

  run(order: Order, second: (second: Second.Second) => void): Turn {
    const turn = {
      connected: Deferred.makeUnsafe<number>(),
      done: Deferred.makeUnsafe<Result | undefined>(),
      second,
    }
    this.#turn = turn
    if (this.isThere) this.tell(order)
    else settle(turn, undefined)
    return turn
  }

  tell(order: Order): void {
    if (this.#child?.connected) this.#child.send(order, () => {})
  }

  /** Ends it, by force when it takes too long. */
  readonly end: Effect.Effect<void> = Effect.suspend(() => {
    this.#ending = true
    this.tell({ _tag: "End" })
    return Effect.ensuring(
      Effect.asVoid(Effect.timeoutOption(Deferred.await(this.#ended), endMillis)),
      Effect.sync(() => void this.#child?.kill("SIGKILL")),
    )
  })

  #heard(report: Report): void {
    switch (report._tag) {
      case "Connected":
        if (this.#turn !== undefined) Deferred.doneUnsafe(this.#turn.connected, Exit.succeed(report.count))
        return
      case "Second":
        return this.#turn?.second(Second.decode(report.second))
      case "Done": {
        const result = decode(report.result)
        if (isProblem(result)) throw new Error(result.problem) // it is this program that made it
        if (this.#turn !== undefined) settle(this.#turn, result)
      }
    }
  }

  #gone(how: string): void {
    if (!this.isThere) return
    this.isThere = false
    if (!this.#ending) this.#died(how)
    if (this.#turn !== undefined) settle(this.#turn, undefined)
    Deferred.doneUnsafe(this.#ended, Exit.void)
  }
}

const settle = ({ connected, done }: Turn, result: Result | undefined): void => {
  Deferred.doneUnsafe(connected, Exit.succeed(0))
  Deferred.doneUnsafe(done, Exit.succeed(result))
}

/** Adds the n-th seconds of all processes, once all that are there have told theirs. */
class Seconds {
  readonly #others: () => ReadonlyArray<Process>
  readonly #told: (second: Second.Second) => void
  readonly #waiting = new Map<Process, Array<Second.Second>>()

  constructor(others: () => ReadonlyArray<Process>, told: (second: Second.Second) => void) {
    this.#others = others
    this.#told = told
  }

  add(of: Process, second: Second.Second): void {
    const waiting = this.#waiting.get(of) ?? []
    waiting.push(second)
    this.#waiting.set(of, waiting)
    if (!this.#others().every((other) => (this.#waiting.get(other)?.length ?? 0) > 0)) return
    const [first, ...rest] = [...this.#waiting.values()].flatMap((seconds) => seconds.shift() ?? [])
    if (first !== undefined) this.#told(Second.sum([first, ...rest]))
  }
}
