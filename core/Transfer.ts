/**
 * Bulk on a connection that also has something else to say: a firmware beside heartbeats and commands.
 *
 * The kernel swallows megabytes at once, and whatever is sent behind them waits until they are through; no mark of the
 * outbox sees that. So no more is ever on its way than the peer has room to confirm: at most `window` bytes beyond what
 * its own acknowledgements name. Where it has none, time has to do: `rate`.
 *
 * ```text
 * from        confirmed          sent              end
 *  |─────────────|────────────────|─────────────────|
 *                 at most window
 * ```
 */
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import type { CloseReason } from "./CloseReason.ts"

/** What of a transfer has arrived, as the peer says. Whoever reads the peer's frames tells it. */
export class Acknowledgements {
  #upTo = 0
  #waiters: Array<() => void> = []

  /** The offset in front of which everything has arrived. */
  get upTo(): number {
    return this.#upTo
  }

  /** The peer has everything in front of this offset. What is less than before, or no number, changes nothing. */
  confirm(offset: number): void {
    if (!(offset > this.#upTo)) return
    this.#upTo = offset
    const waiters = this.#waiters
    this.#waiters = []
    for (const wake of waiters) wake()
  }

  /** Waits for the next confirmation. */
  readonly next: Effect.Effect<void> = Effect.callback((resume) => {
    const wake = (): void => resume(Exit.void)
    this.#waiters.push(wake)
    return Effect.sync(() => {
      this.#waiters = this.#waiters.filter((waiter) => waiter !== wake)
    })
  })
}

/** How much is sent, how fast, and in which frames. Wanted is `acknowledgements`, or `rate`, or both. */
export interface TransferOptions<out Out> {
  /** Makes a frame of a part. The bytes are lent for the call. */
  readonly frame: (bytes: Uint8Array, offset: number) => Out
  /** The offset of the stream's first byte, such as the one that the peer named after a reset. Default 0. */
  readonly from?: number
  /** Bytes at most that are sent and not confirmed. Default 64 KiB. */
  readonly window?: number
  /** Bytes of one part at most. Default: a quarter of the window. */
  readonly part?: number
  /** What the peer confirms. */
  readonly acknowledgements?: Acknowledgements
  /** Bytes a second; time in which nothing could be sent is not made up for. Default: as fast as they are confirmed. */
  readonly rate?: number
  /** For the next confirmation, while something is not confirmed; then `TransferStalled`. Default 30 s. */
  readonly stall?: Duration.Input
}

/** The peer has confirmed nothing for too long. */
export class TransferStalled extends Data.TaggedError("TransferStalled")<{
  /** The offset in front of which everything has arrived: to go on from. */
  readonly confirmed: number
  readonly sent: number
}> {
  override get message(): string {
    return `The peer confirmed ${this.confirmed} of ${this.sent} bytes, and then nothing more`
  }
}

/** What a transfer needs of a connection. */
export interface Link<in Out> {
  send(frame: Out): Effect.Effect<void, CloseReason>
  readonly closed: Effect.Effect<CloseReason>
}

const defaultWindow = 64 * 1024

/**
 * What a rate makes up for when it was late, in milliseconds: timers are. A source or a connection that stood still for
 * longer is not made up for, or the kernel would swallow all of that at once.
 */
const lateMillis = 100

/**
 * Sends a stream of bytes and returns the offset behind its last one, once the peer has confirmed all of it. Throws a
 * RangeError that names the option that cannot be.
 */
export const sendAll = <Out, E, R>(
  link: Link<Out>,
  stream: Stream.Stream<Uint8Array, E, R>,
  options: TransferOptions<Out>,
): Effect.Effect<number, E | CloseReason | TransferStalled, R> => {
  const { frame, from = 0, window = defaultWindow, acknowledgements, rate = Infinity, stall = "30 seconds" } = options
  const part = Math.min(options.part ?? Math.ceil(window / 4), window)
  if (!(Number.isInteger(from) && from >= 0)) throw wrong("from", from, "an integer from 0")
  if (!(Number.isInteger(window) && window > 0)) throw wrong("window", window, "an integer from 1")
  if (!(Number.isInteger(part) && part > 0)) throw wrong("part", part, "an integer from 1")
  if (!(rate > 0)) throw wrong("rate", rate, "more than 0 bytes a second")
  if (acknowledgements === undefined && rate === Infinity) {
    throw wrong("rate", rate, "a number of bytes a second where there are no acknowledgements")
  }
  return Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const now = (): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
    let due = now()
    let sent = from
    // A peer cannot have what was not sent.
    const unconfirmed = (): number => sent - Math.min(Math.max(acknowledgements?.upTo ?? sent, from), sent)
    const confirmation: Effect.Effect<void, CloseReason | TransferStalled> = acknowledgements === undefined
      ? Effect.void
      : Effect.raceFirst(acknowledgements.next, Effect.flatMap(link.closed, Effect.fail)).pipe(
        Effect.timeoutOrElse({
          duration: stall,
          orElse: () => Effect.fail(new TransferStalled({ confirmed: sent - unconfirmed(), sent })),
        }),
      )
    yield* Stream.runForEach(stream, (bytes) =>
      Effect.gen(function* () {
        for (let next = 0; next < bytes.length;) {
          const size = Math.min(part, bytes.length - next)
          while (unconfirmed() + size > window) yield* confirmation
          due = Math.max(due, now() - lateMillis)
          const early = due - now()
          if (early > 0) yield* Effect.sleep(early)
          due += (size / rate) * 1_000
          yield* link.send(frame(bytes.subarray(next, next + size), sent))
          next += size
          sent += size
        }
      }))
    while (unconfirmed() > 0) yield* confirmation
    return sent
  })
}

const wrong = (option: string, value: unknown, accepted: string): RangeError =>
  new RangeError(`Cannot send all: ${option} is ${String(value)}, accepted is ${accepted}`)
