/**
 * `Service.plain`: requests and replies for people who do not know Effect. Handlers are functions that return values or
 * promises, and a connection's methods return promises.
 *
 * Only the clothes differ: the same driver answers, in the same order, with the same defaults for what fails.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { isTagged } from "effect/Predicate"
import * as CloseReason from "./CloseReason.ts"
import type { FrameError } from "./Codec.ts"
import { ConnectionInfo } from "./Connection.ts"
import type { Heartbeat } from "./Heartbeat.ts"
import { type Managed, Pause } from "./ManagedConnection.ts"
import type { SendOptions } from "./MessageClass.ts"
import { type Defect, noReply, type Reply } from "./Replies.ts"

/** What a plain handler answers: a {@link Reply}, or nothing at all. */
export type PlainReply<Out> = Reply<Out> | undefined | void

/** A plain handler. What it throws, or its promise rejects with, is a failure of the request. */
export type PlainHandler<In, Out, State> = (
  frame: In,
  connection: PlainConnection<Out, State>,
) => PlainReply<Out> | Promise<PlainReply<Out>>

/** Options of `Service.plain`. */
export interface PlainOptions<Out, State, In = never> {
  /** How many requests of one connection are handled at once. Default 1. */
  readonly concurrency?: number
  /** Replies leave in the order of their requests, or as they are completed. Default `request`. */
  readonly order?: "request" | "completion"
  /**
   * For one request, in milliseconds or as `"5 seconds"`; then the connection ends as `HandlerTimeout`. A promise cannot
   * be interrupted: what it gives later is dropped. Default: no bound.
   */
  readonly timeout?: Duration.Input
  /** Signs of life. Default: none are wanted. */
  readonly heartbeat?: Heartbeat<In, Out>
  /** Makes a last frame for each connection when the server drains, so that clients close first. Default: none is sent. */
  readonly goodbye?: () => Out
  /**
   * How much of `limits.maxInFlight` a request takes. One that is heavier than all of it is handled alone; what is no
   * number above 0 counts as 1. Default 1.
   */
  readonly weight?: (frame: In) => number
  /**
   * Makes `connection.state` before the first frame of a connection. Where it takes the connection, write the
   * parameter's type out, or TypeScript reads the handler first.
   */
  readonly open?: (connection: PlainConnection<Out>) => State | Promise<State>
  /**
   * Answers what the handler threw, or bytes that are no frame (a `FrameError`; the connection ends after the answer).
   * `id` stands in the log as well, where the failure is one that ends the connection. Undefined leaves it to the
   * default: `InvalidInput` and `Unavailable` are answered with their `reply`, everything else ends the connection.
   */
  readonly onError?: (
    error: unknown,
    connection: PlainConnection<Out, State>,
    id: string | undefined,
  ) => Reply<Out> | undefined
}

/** A connection as a plain handler sees it. */
export class PlainConnection<in Out, out State = undefined> extends ConnectionInfo {
  /** What `open` made. */
  readonly state: State
  readonly #engine: Managed<Out>

  constructor(engine: Managed<Out>, state: State) {
    super(engine)
    this.#engine = engine
    this.state = state
  }

  /**
   * Sends a frame that is not a reply, at any time. Whoever awaits it sends no faster than the peer reads: it resolves
   * once no more than `limits.outboxHigh` bytes are unsent, with false when the connection is over. Where `options.class`
   * says what becomes of a frame while more is unsent, it resolves at once. Never rejects. A frame that the codec cannot
   * write ends the connection as `EncodeFailed`.
   */
  send(frame: Out, options?: SendOptions): Promise<boolean> {
    const failure = this.#engine.send(frame, options)
    if (failure !== undefined) {
      this.#engine.close(failure)
      return Promise.resolve(false)
    }
    const waits = options?.class === undefined || options.class.full === "wait"
    if (!waits || !this.#engine.isPaused(Pause.outbox)) return Promise.resolve(true)
    return Effect.runPromise(Effect.match(this.#engine.drained, { onSuccess: () => true, onFailure: () => false }))
  }

  /** Ends it once everything begun is answered and sent. */
  close(): void {
    this.#engine.close(CloseReason.localClosed)
  }

  /** Ends it at once: what is unsent is dropped, and the peer sees a reset where the runtime can. */
  abort(): void {
    this.#engine.abort(CloseReason.kicked)
  }

  /** Resolves at the end with why it ended. Never rejects. */
  get closed(): Promise<CloseReason.CloseReason> {
    return Effect.runPromise(this.#engine.over)
  }
}

type Answer<Out> = Effect.Effect<Reply<Out>, unknown>

/** The same handler as an Effect: one that is done where the handler answers at once. */
export const effectful = <In, Out, State>(
  handler: PlainHandler<In, Out, State>,
) =>
(frame: In, connection: PlainConnection<Out, State>): Answer<Out> => {
  try {
    const answer = handler(frame, connection)
    return isPromise(answer) ? awaited(answer) : Exit.succeed(answer === undefined ? noReply : answer as Reply<Out>) // `void` is undefined
  } catch (error) {
    return failed(error)
  }
}

/** The same for `open`. */
export const opening =
  <Out, State>(open: NonNullable<PlainOptions<Out, State>["open"]>) =>
  (connection: PlainConnection<Out, undefined>): Effect.Effect<State, unknown> =>
    Effect.suspend(() => {
      const state = open(connection)
      return isPromise(state) ? Effect.promise(() => state) : Exit.succeed(state)
    })

/** The same for `onError`: what was thrown instead of the Defect around it. */
export const answering =
  <Out, State>(onError: NonNullable<PlainOptions<Out, State>["onError"]>) =>
  (error: FrameError | Defect, connection: PlainConnection<Out, State>): Reply<Out> | undefined => {
    if (!isTagged(error, "Defect")) return onError(error, connection, undefined)
    const { cause, id } = error as Defect // its tag says so
    const thrown = cause.reasons.find((reason) => reason._tag === "Die")
    return onError(thrown === undefined ? cause : thrown.defect, connection, id)
  }

const awaited = <Out>(answer: Promise<PlainReply<Out>>): Answer<Out> =>
  Effect.callback((resume) => {
    answer.then(
      (reply) => resume(Exit.succeed(reply === undefined ? noReply : reply as Reply<Out>)), // `void` is undefined
      (error) => resume(failed(error)),
    )
  })

// What has an answer of its own is a failure that the request was asked for; everything else is a defect.
const failed = (error: unknown): Exit.Exit<never, unknown> =>
  isTagged(error, "InvalidInput") || isTagged(error, "Unavailable") ? Exit.fail(error) : Exit.die(error)

const isPromise = <A>(value: A | Promise<A>): value is Promise<A> =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function"
