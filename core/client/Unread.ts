/**
 * Frames that are no answers, until somebody takes them: in order, bounded, across connections.
 *
 * Whoever fills it asks for `room` first, and is told when there is some again; nothing is dropped.
 */
import { isReadonlyArrayNonEmpty } from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import type { ClientClosed } from "./Errors.ts"

/** The unread frames of one client. */
export class Unread<In> {
  readonly #most: number
  readonly #onRoom: () => void
  #frames: Array<In> = []
  #waiters: Array<() => void> = []
  #end: ClientClosed | undefined

  constructor(most: number, onRoom: () => void) {
    this.#most = most
    this.#onRoom = onRoom
  }

  get size(): number {
    return this.#frames.length
  }

  /** How many more there may be. */
  get room(): number {
    return this.#most - this.#frames.length
  }

  push(frame: In): void {
    this.#frames.push(frame)
    this.#wake()
  }

  /** No more will come. */
  end(error: ClientClosed): void {
    this.#end = error
    this.#wake()
  }

  readonly receive: Effect.Effect<In, ClientClosed> = Effect.suspend(() => {
    if (this.#frames.length === 0) return this.#waitFor(this.receive)
    const frame = this.#frames.shift()! // it is not empty
    this.#onRoom()
    return Exit.succeed(frame)
  })

  /** All that are there, at least one. */
  readonly receiveAll: Effect.Effect<ReadonlyArray<In>, ClientClosed> = Effect.suspend(() => {
    if (this.#frames.length === 0) return this.#waitFor(this.receiveAll)
    const frames = this.#frames
    this.#frames = []
    this.#onRoom()
    return Exit.succeed(frames)
  })

  /** Ends when the client was ended by its own program, and fails when it ended otherwise. */
  readonly stream: Stream.Stream<In, ClientClosed> = Stream.fromPull(Exit.succeed(Effect.matchEffect(this.receiveAll, {
    onSuccess: (frames) => isReadonlyArrayNonEmpty(frames) ? Exit.succeed(frames) : Cause.done(),
    onFailure: (error): Effect.Effect<never, ClientClosed | Cause.Done> =>
      error.reason._tag === "LocalClosed" ? Cause.done() : Exit.fail(error),
  })))

  #waitFor<A>(again: Effect.Effect<A, ClientClosed>): Effect.Effect<A, ClientClosed> {
    return this.#end === undefined ? Effect.flatMap(this.#more, () => again) : Exit.fail(this.#end)
  }

  readonly #more: Effect.Effect<void> = Effect.callback((resume) => {
    const wake = (): void => resume(Exit.void)
    this.#waiters.push(wake)
    return Effect.sync(() => {
      this.#waiters = this.#waiters.filter((waiter) => waiter !== wake)
    })
  })

  #wake(): void {
    if (this.#waiters.length === 0) return
    const waiters = this.#waiters
    this.#waiters = []
    for (const wake of waiters) wake()
  }
}
