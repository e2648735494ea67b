/**
 * Asks one worker for its account, and keeps the last one that it gave.
 *
 * At most one question is open: who asks meanwhile waits for the same answer, and a worker that does not answer is not
 * asked again until it does. So a worker that hangs holds nobody up but the first who asks, and its channel does not fill.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Account, Ledger } from "./Ledger.ts"

/** Milliseconds that an answer is waited for: less than the second that probes wait by default. */
const patience = 750

/** How one worker is asked. */
export class Inquiry {
  /** The last account that it gave. */
  last: Account | undefined
  readonly #send: () => void
  readonly #ledger: Ledger
  #open: { readonly since: number; readonly answered: Deferred.Deferred<void> } | undefined

  /** `send` asks the worker, whose answer then goes to `answer`, and from there to the ledger. */
  constructor(send: () => void, ledger: Ledger) {
    this.#send = send
    this.#ledger = ledger
  }

  /** Waits until `last` is of now, or the worker has not answered in time. */
  readonly ask: Effect.Effect<void> = Clock.clockWith((clock) => {
    const now = millis(clock)
    const begins = this.#open === undefined
    const { since, answered } = this.#open ??= { since: now, answered: Deferred.makeUnsafe() }
    if (begins) this.#send()
    const left = Math.max(0, since + patience - now)
    return Effect.asVoid(Effect.timeoutOption(Deferred.await(answered), left))
  })

  /** The worker has answered, or given its account unasked. */
  answer(account: Account): void {
    this.#ledger.add(account, this.last)
    this.last = account
    if (this.#open !== undefined) Deferred.doneUnsafe(this.#open.answered, Exit.void)
    this.#open = undefined
  }

  /** For how many milliseconds a question has been open; 0 when none is. */
  readonly silence: Effect.Effect<number> = Clock.clockWith((clock) =>
    Effect.succeed(this.#open === undefined ? 0 : millis(clock) - this.#open.since)
  )
}

const millis = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)
