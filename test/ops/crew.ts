/** A supervisor whose workers are no processes, for tests in virtual time. */
import type * as Duration from "effect/Duration"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import type * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { Inquiry } from "../../ops/workers/Inquiry.ts"
import { type Account, Ledger } from "../../ops/workers/Ledger.ts"
import * as Supervisor from "../../ops/workers/Supervisor.ts"
import { turns as settle } from "../core/harness.ts"

export { settle }

/** A worker that does what the test says, and remembers what it was told. */
export class Fake implements Supervisor.Worker {
  readonly number: number
  readonly port: number | undefined
  readonly pid: number
  readonly told: Array<string> = []
  readonly #ready = Deferred.makeUnsafe<Supervisor.Ready>()
  readonly #ended = Deferred.makeUnsafe<Supervisor.End>()
  readonly ready = Deferred.await(this.#ready)
  readonly ended = Deferred.await(this.#ended)
  readonly inquiry: Inquiry
  /** What it answers when it is asked; nothing until this is set. */
  account: Account | undefined
  /** How often it was asked. */
  asked = 0

  constructor(number: number, port: number | undefined, pid: number, ledger: Ledger) {
    this.inquiry = new Inquiry(() => {
      this.asked++
      if (this.account !== undefined) this.inquiry.answer(this.account)
    }, ledger)
    this.number = number
    this.port = port
    this.pid = pid
  }

  get over(): boolean {
    return Deferred.isDoneUnsafe(this.#ended)
  }

  serve(patience = 30_000): void {
    Deferred.doneUnsafe(this.#ready, Exit.succeed({ address: "127.0.0.1:4321", port: 4_321, patience }))
  }

  end(code: number | undefined): void {
    Deferred.doneUnsafe(this.#ended, Exit.succeed({ code, how: code === undefined ? "SIGKILL" : `exit code ${code}` }))
  }

  drain(): void {
    this.told.push("drain")
  }

  abort(code: number): void {
    this.told.push(`abort ${code}`)
  }

  kill(): void {
    if (this.over) return
    this.told.push("kill")
    this.end(undefined)
  }
}

/** A supervisor, and what it did. */
export interface Crew {
  readonly ledger: Ledger
  readonly supervisor: Supervisor.Supervisor
  /** All that were started, in order. */
  readonly workers: Array<Fake>
  readonly log: Array<string>
  /** How `run` ended. */
  readonly running: Fiber.Fiber<never, Supervisor.GaveUp | Supervisor.Misconfigured>
}

/** A supervisor that runs, whose workers do as `behave` says from their start on. */
export const crew = (
  options: Supervisor.Options,
  behave: (worker: Fake) => void = () => {},
): Effect.Effect<Crew, never, Scope.Scope> =>
  Effect.gen(function* () {
    const workers: Array<Fake> = []
    const log: Array<string> = []
    const ledger = new Ledger()
    const launch: Supervisor.Launch = (number, port) =>
      Effect.sync(() => {
        const worker = new Fake(number, port, 100 + workers.length, ledger)
        workers.push(worker)
        behave(worker)
        return worker
      })
    const logger = Logger.make(({ message }) => void log.push(String(message)))
    const supervisor = yield* Supervisor.make(launch, options)
    const running = yield* Effect.forkScoped(Effect.provide(supervisor.run, Logger.layer([logger])))
    yield* settle
    return { supervisor, ledger, workers, log, running }
  })

/** Time passes, and everything happens that is due then. */
export const pass = (time: Duration.Input): Effect.Effect<void> =>
  Effect.andThen(Effect.andThen(settle, TestClock.adjust(time)), settle)

/** Behaves well. */
export const serve = (worker: Fake): void => worker.serve()
/** Which places they have. */
export const numbers = (workers: ReadonlyArray<Fake>): ReadonlyArray<number> => workers.map(({ number }) => number)
/** Those that have not ended. */
export const left = (workers: ReadonlyArray<Fake>): ReadonlyArray<Fake> => workers.filter(({ over }) => !over)
