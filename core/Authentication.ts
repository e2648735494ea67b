/**
 * What comes before a service: a handshake that says who the peer is, under limits that are stricter than those of a
 * peer who is known. How the two agree is the handshake's affair (see Login); what follows is any service.
 *
 * ```text
 * open ─► handshake ─► identity ─► service(identity)
 *            │ LoginRefused, LoginTimeout, Refused at authenticate.maxUnauthenticated
 * ```
 *
 * 1. Frames are decoded one by one, so that no byte behind the login is read by the wrong codec.
 * 2. Nobody is kept out by those who say nothing: at `maxUnauthenticated` the one goes that has been silent for longest,
 *    or, where all have spoken, that is there for longest.
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import * as CloseReason from "./CloseReason.ts"
import { type Codec, frameTooLarge } from "./Codec.ts"
import type { Deadline } from "./Deadlines.ts"
import type { ManagedConnection } from "./ManagedConnection.ts"
import { Session, SessionDriver } from "./Session.ts"

/** How a peer says who it is. Fails with {@link LoginRefused} when it is nobody. */
export interface Handshake<In, Out, out Identity, out E = never, out R = never> {
  readonly codec: Codec<In, Out>
  readonly run: (connection: Session<In, Out>) => Effect.Effect<Identity, E, R>
}

/** The peer is not let in: it gets `reply`, where there is one, and the connection ends as `LoginRefused`. */
export class LoginRefused<Out = never> extends Data.TaggedError("LoginRefused")<{
  readonly reply?: Out
  /** For the log. Never what the peer knows as a secret. */
  readonly detail?: string
}> {}

/** Options of `Service.authenticate`. */
export interface AuthenticateOptions<In, Out, Identity, E, R> {
  readonly handshake: Handshake<In, Out, Identity, E, R>
  /** For the whole handshake; then the connection ends as `LoginTimeout`. Default 10 s. */
  readonly timeout?: Duration.Input
  /** Bytes of one frame of the handshake, whatever its codec allows. Default 4,096. */
  readonly maxFrame?: number
  /**
   * Connections of this service at once that have not logged in. One more, and that one of them is reset that has been
   * silent for longest (`Refused` at `authenticate.maxUnauthenticated`). Default 1,000.
   */
  readonly maxUnauthenticated?: number
  /** What logs and events call it. Default: an identity that is text or a number, or its `id` or `name` that is. */
  readonly name?: (identity: Identity) => string
}

/** The options, checked. Types of frames and needs are in the type of the service that is made of it. */
export interface Authentication {
  readonly codec: Codec<unknown, never>
  readonly run: (connection: Session<unknown, never>) => Effect.Effect<unknown, unknown, Scope>
  /** Milliseconds. */
  readonly timeout: number
  readonly maxFrame: number
  readonly maxUnauthenticated: number
  readonly name: (identity: unknown) => string | undefined
}

/** Checks the options; throws a RangeError that names what is wrong. */
export const check = <In, Out, Identity, E, R>(
  { handshake, timeout = "10 seconds", maxFrame = 4_096, maxUnauthenticated = 1_000, name }: AuthenticateOptions<
    In,
    Out,
    Identity,
    E,
    R
  >,
): Authentication => {
  const millis = Duration.toMillis(timeout)
  if (!(millis > 0)) throw wrong("timeout", timeout, "more than 0")
  if (!Number.isInteger(maxFrame) || maxFrame < 1) throw wrong("maxFrame", maxFrame, "an integer from 1")
  if (!(maxUnauthenticated === Infinity || (Number.isInteger(maxUnauthenticated) && maxUnauthenticated >= 1))) {
    throw wrong("maxUnauthenticated", maxUnauthenticated, "an integer from 1, or Infinity")
  }
  return {
    codec: handshake.codec,
    run: handshake.run as unknown as Authentication["run"], // the sessions that it is given are of this codec
    timeout: millis,
    maxFrame,
    maxUnauthenticated,
    name: (name ?? nameOf) as (identity: unknown) => string | undefined, // the handshake's identities
  }
}

const wrong = (option: string, value: unknown, accepted: string): RangeError =>
  new RangeError(`Cannot make a service: authenticate.${option} is ${String(value)}, accepted is ${accepted}`)

const nameOf = (identity: unknown): string | undefined => {
  if (typeof identity === "string" || typeof identity === "number" || typeof identity === "bigint") return `${identity}`
  if (typeof identity !== "object" || identity === null) return undefined
  const { id, name } = identity as { readonly id?: unknown; readonly name?: unknown } // may be anything
  return typeof id === "object" || id === undefined ? typeof name === "string" ? name : undefined : nameOf(id)
}

/** Those who have not logged in, of one service. */
export class Strangers {
  readonly #most: number
  // In the order of their coming.
  readonly #silent = new Set<Stranger>()
  readonly #speaking = new Set<Stranger>()

  constructor(most: number) {
    this.#most = most
  }

  /** Somebody has come; somebody else may have to go for it. */
  add(stranger: Stranger): void {
    this.#silent.add(stranger)
    if (this.#silent.size + this.#speaking.size <= this.#most) return
    const [longest] = this.#silent.size > 1 ? this.#silent : this.#speaking
    ;(longest ?? stranger).crowdedOut()
  }

  /** It has said something. */
  spoke(stranger: Stranger): void {
    if (this.#silent.delete(stranger)) this.#speaking.add(stranger)
  }

  /** It is known now, or gone. */
  delete(stranger: Stranger): void {
    this.#silent.delete(stranger)
    this.#speaking.delete(stranger)
  }
}

interface Stranger {
  crowdedOut(): void
}

/** Runs the handshake of a connection that was just made; `admitted` goes on with it. */
export const begin = (
  engine: ManagedConnection<unknown, never>,
  { run, timeout, maxFrame, name }: Authentication,
  strangers: Strangers,
  admitted: (identity: unknown) => Effect.Effect<() => void, unknown, Scope>,
): Session<unknown, never> => {
  const { deadlines, emit } = engine.supervisor
  const deadline: Deadline = { slot: 0, expire: () => engine.close(CloseReason.loginTimeout) }
  const stranger: Stranger = {
    crowdedOut: () => engine.abort(CloseReason.refused("authenticate.maxUnauthenticated")),
  }
  engine.maxFrame = maxFrame
  const driver = new SessionDriver<unknown>(engine, {
    framesPerDecode: 1,
    inputHigh: maxFrame,
    decoded(bytes) {
      strangers.spoke(stranger)
      return bytes > maxFrame ? frameTooLarge(bytes, maxFrame) : undefined
    },
  })
  const session = new Session(engine, driver)
  const known = Effect.sync(() => {
    strangers.delete(stranger)
    deadlines.disarm(deadline)
  })
  const refused = (error: unknown): Effect.Effect<never, unknown> => {
    if (!(error instanceof LoginRefused)) return Effect.fail(error)
    if (error.reply !== undefined) engine.send(error.reply as never) // the handshake's own reply
    return Effect.fail(CloseReason.loginRefused(error.detail))
  }
  const login = Effect.suspend(() => run(session)).pipe(
    Effect.catch(refused),
    Effect.ensuring(known),
    Effect.flatMap((identity) =>
      Effect.map(admitted(identity), (goOn) => {
        if (engine.reason !== undefined) return
        const called = name(identity)
        engine.identity = { value: identity, name: called }
        emit?.({ _tag: "LoggedIn", connection: engine.id, remoteAddress: engine.remoteAddress, identity: called })
        driver.retire()
        goOn()
      })
    ),
  )
  engine.start(driver)
  strangers.add(stranger)
  deadlines.arm(deadline, timeout)
  driver.begin(login)
  return session
}
