/**
 * What a server does with its connections: a codec, and what happens to the frames.
 *
 * A service is plain data with a string type id; it opens nothing and runs nothing. The Server that is given one does.
 *
 * ```ts
 * Service.respond(Lines.make({ maxLength: 65_536 }), (line) => Effect.succeed(`echo: ${line}`))
 * ```
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { hasProperty } from "effect/Predicate"
import { Scope } from "effect/Scope"
import type { Codec, FrameError } from "./Codec.ts"
import * as Authentication from "./Authentication.ts"
import { type AuthenticateOptions, type Handshake, LoginRefused } from "./Authentication.ts"
import { Connection } from "./Connection.ts"
import type { Heartbeat } from "./Heartbeat.ts"
import { type Managed, ManagedConnection, type Manners } from "./ManagedConnection.ts"
import * as Plain from "./Plain.ts"
import { type Defect, InvalidInput, last, noReply, replies, type Reply, ReplyDriver, Unavailable } from "./Replies.ts"
import { Session, SessionDriver } from "./Session.ts"
import type { MessageClass, SendOptions } from "./MessageClass.ts"
import type { Arrival, Supervisor } from "./Supervisor.ts"

export { Connection, InvalidInput, last, LoginRefused, noReply, replies, Session, Unavailable }
export type { AuthenticateOptions, Defect, Handshake, Heartbeat, MessageClass, Reply, SendOptions }
export type { PlainConnection, PlainHandler, PlainOptions, PlainReply } from "./Plain.ts"

const TypeId = "~anyport/Service"

/** What a server does with its connections. `R`: what its handlers need. `E`: how acquiring that may fail. */
export interface Service<out R = never, out E = never> {
  readonly [TypeId]: Definition
  readonly "~R"?: R
  readonly "~E"?: E
}

/** A connection as a `respond` handler sees it, with the state that `open` made for it. */
export class Responding<in Out, out State = undefined> extends Connection<Out> {
  readonly state: State

  constructor(connection: Managed<Out>, state: State) {
    super(connection)
    this.state = state
  }
}

/** Options of {@link respond}. */
export interface RespondOptions<In, Out, State, E, R> {
  /** How many requests of one connection are handled at once. Default 1. */
  readonly concurrency?: number
  /** Replies leave in the order of their requests, or as they are completed. Default `request`. */
  readonly order?: "request" | "completion"
  /** For one request; then the connection ends as `HandlerTimeout`. Default: no bound. */
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
   * Makes the state of a connection before its first frame. What it acquires is released when the connection ends.
   * Where it takes the connection, write the parameter's type out, or TypeScript reads the handler first.
   */
  readonly open?: (connection: Connection<Out>) => Effect.Effect<State, E, R | Scope>
  /**
   * Answers a failure of the handler, bytes that are no frame (the connection ends after the answer), or a defect
   * (likewise). Undefined leaves it to the default: `InvalidInput` and `Unavailable` are answered with their `reply` and
   * the connection goes on; everything else ends it.
   */
  readonly onError?: (error: E | FrameError | Defect, connection: Responding<Out, State>) => Reply<Out> | undefined
}

/**
 * A service of requests and replies. A handler that returns a finished Effect (`Effect.succeed`, `fail`, `mapEager`, …)
 * costs no fiber. What it acquires in its Scope is released when the connection ends. Failing with a CloseReason ends the
 * connection with that reason.
 */
export const respond = <In, Out, E = never, R = never, State = undefined>(
  codec: Codec<In, Out>,
  handler: (frame: In, connection: Responding<Out, State>) => Effect.Effect<Reply<Out>, E, R>,
  options: RespondOptions<In, Out, State, E, R> = {},
): Service<Exclude<R, Scope>> => {
  checkConcurrency(options)
  return { [TypeId]: { _tag: "Respond", codec, handler, options } }
}

/**
 * A service of requests and replies whose handler is a plain function: it returns a reply, a promise of one, or nothing.
 * What it throws ends the connection, but for `InvalidInput` and `Unavailable`, which are answered with their `reply`.
 *
 * ```ts
 * Service.plain(Lines.make({ maxLength: 65_536 }), async (line) => `echo: ${line}`)
 * ```
 */
export const plain = <In, Out, State = undefined>(
  codec: Codec<In, Out>,
  handler: Plain.PlainHandler<In, Out, State>,
  options: Plain.PlainOptions<Out, State, In> = {},
): Service => {
  checkConcurrency(options)
  const { open, onError, ...rest } = options
  const definition: Definition = {
    _tag: "Respond",
    codec,
    handler: Plain.effectful(handler),
    options: {
      ...rest,
      ...(open === undefined ? {} : { open: Plain.opening(open) }),
      ...(onError === undefined ? {} : { onError: Plain.answering(onError) }),
    },
    plain: true,
  }
  return { [TypeId]: definition }
}

const checkConcurrency = ({ concurrency = 1 }: { readonly concurrency?: number }): void => {
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw new RangeError(`Cannot make a service: concurrency is ${concurrency}, accepted is an integer from 1`)
  }
}

/** Options of {@link session}. */
export interface SessionOptions<In, Out> {
  /** Signs of life. Default: none are wanted. */
  readonly heartbeat?: Heartbeat<In, Out>
  /** Makes a last frame for each connection when the server drains, so that clients close first. Default: none is sent. */
  readonly goodbye?: () => Out
}

/**
 * A full-duplex service: one Effect for the life of a connection. When it returns, the connection is flushed and ends as
 * `LocalClosed` (`PeerClosed` when the peer had finished first); failing with a CloseReason means that reason, failing
 * otherwise `HandlerFailed`.
 */
export const session = <In, Out, E = never, R = never>(
  codec: Codec<In, Out>,
  run: (connection: Session<In, Out>) => Effect.Effect<void, E, R>,
  options: SessionOptions<In, Out> = {},
): Service<Exclude<R, Scope>> => ({ [TypeId]: { _tag: "Session", codec, run, options } })

/**
 * A service behind a login: the handshake says who the peer is, and what is served from there on may depend on that. Its
 * codec may be another one; what the peer has sent behind its login is for it.
 *
 * ```ts
 * Service.authenticate({ handshake: Login.token(codec, verify) }, (device) => Service.respond(codec, handle(device)))
 * ```
 *
 * What the service is provided with (`provide`) is acquired for each connection; what all are to share is provided to the
 * whole. Throws a RangeError that names the option that cannot be.
 */
export const authenticate = <In, Out, Identity, E = never, R = never, R2 = never, E2 = never>(
  options: AuthenticateOptions<In, Out, Identity, E, R>,
  service: (identity: Identity) => Service<R2, E2>,
): Service<Exclude<R, Scope> | R2> => ({
  [TypeId]: { _tag: "Authenticated", authentication: Authentication.check(options), service },
})

/** Gives a service what its handlers need: acquired once before the server listens, released after the last connection. */
export const provide = <R, E, ROut, E2, R2>(
  service: Service<R, E>,
  layer: Layer.Layer<ROut, E2, R2>,
): Service<Exclude<R, ROut> | R2, E | E2> => ({ [TypeId]: { _tag: "Provided", service, layer } })

/** Whether a value is a service, made by this copy of the module or another. */
export const isService = (value: unknown): value is Service<unknown, unknown> => hasProperty(value, TypeId)

// The types of frames, state, errors and needs are forgotten here: `never` where a value goes in, `unknown` where one
// comes out. `respond` and `session` have checked that the parts of one definition fit each other.
type Definition =
  | {
    readonly _tag: "Respond"
    readonly codec: Codec<unknown, never>
    readonly handler: (frame: never, connection: never) => Effect.Effect<unknown, unknown, unknown>
    readonly options: {
      readonly concurrency?: number
      readonly order?: "request" | "completion"
      readonly timeout?: Duration.Input
      readonly heartbeat?: Heartbeat<never, unknown>
      readonly goodbye?: () => unknown
      readonly weight?: (frame: never) => number
      readonly open?: (connection: never) => Effect.Effect<unknown, unknown, unknown>
      readonly onError?: (error: never, connection: never) => unknown
    }
    /** Its functions take a {@link Plain.PlainConnection}. */
    readonly plain?: boolean
  }
  | {
    readonly _tag: "Session"
    readonly codec: Codec<unknown, never>
    readonly run: (connection: never) => Effect.Effect<void, unknown, unknown>
    readonly options?: { readonly heartbeat?: Heartbeat<never, unknown>; readonly goodbye?: () => unknown }
  }
  | {
    readonly _tag: "Authenticated"
    readonly authentication: Authentication.Authentication
    readonly service: (identity: never) => Service<unknown, unknown>
  }
  | {
    readonly _tag: "Provided"
    readonly service: Service<unknown, unknown>
    readonly layer: Layer.Layer<never, unknown, unknown>
  }

/** Starts a connection of one service on a transport. */
export type Start = (arrival: Arrival, supervisor: Supervisor) => Connection

/** A service that has what it needs. */
interface Prepared {
  readonly codec: Codec<unknown, never>
  readonly manners: Manners<unknown, never>
  readonly context: Context.Context<never>
  /** Starts its driver on an engine of its codec. */
  begin(engine: ManagedConnection<unknown, never>): Connection
}

/**
 * Acquires what a service was provided with, for the current scope, and returns how its connections are started. For
 * the Server.
 */
export const prepare = <R, E>(service: Service<R, E>): Effect.Effect<Start, E, R | Scope> =>
  Effect.flatMap(
    Effect.context<R | Scope>(),
    (context) => Effect.map(prepareWith(service, context), startOf) as Effect.Effect<Start, E>, // a Definition forgot what its layers fail with
  )

const startOf = ({ codec, manners, context, begin }: Prepared): Start => (arrival, supervisor) =>
  begin(new ManagedConnection(arrival, codec, manners, context, supervisor))

const prepareWith = (
  service: Service<unknown, unknown>,
  context: Context.Context<never>,
): Effect.Effect<Prepared, unknown> => {
  const definition = service[TypeId]
  switch (definition._tag) {
    case "Provided":
      return Effect.flatMap(
        Layer.build(definition.layer).pipe(
          Effect.provideContext(context as Context.Context<unknown>), // what the layer needs is in `prepare`'s R
        ),
        (provided) => prepareWith(definition.service, Context.merge(context, provided)),
      )
    case "Respond":
      return Effect.succeed(responding(definition, context))
    case "Session":
      return Effect.succeed(running(definition, context))
    case "Authenticated":
      return Effect.succeed(authenticating(definition, context))
  }
}

type Face = Responding<never, unknown> | Plain.PlainConnection<never, unknown>
type Handler = (frame: unknown, connection: Face) => Effect.Effect<Reply<never>, unknown, Scope>
type OnError = (error: unknown, connection: Face) => Reply<never> | undefined
type Opener = (connection: Face) => Effect.Effect<unknown, unknown, Scope>
type Runner = (connection: Session<unknown, never>) => Effect.Effect<void, unknown, Scope>

const responding = (
  { codec, handler, options, plain = false }: Extract<Definition, { _tag: "Respond" }>,
  context: Context.Context<never>,
): Prepared => {
  const responder = {
    handler: handler as Handler, // its frames come from this codec, its needs from this context
    onError: (options.onError ?? (() => undefined)) as OnError, // likewise
    concurrency: options.concurrency ?? 1,
    ordered: options.order !== "completion",
    timeout: options.timeout === undefined ? undefined : Duration.toMillis(options.timeout),
    weight: options.weight as ((frame: unknown) => number) | undefined, // likewise
  }
  const open = options.open as Opener | undefined // likewise
  const Face = plain ? Plain.PlainConnection<never, unknown> : Responding<never, unknown>
  return {
    codec,
    manners: options as Manners<unknown, never>, // likewise
    context,
    begin(engine) {
      const face = new Face(engine, undefined)
      const driver = new ReplyDriver<unknown, never, Face>(engine, responder, face)
      engine.start(driver)
      if (open !== undefined) {
        const opening = Effect.suspend(() => open(face))
        driver.open(Effect.map(opening, (state) => new Face(engine, state)))
      }
      return face instanceof Connection ? face : new Connection(engine)
    },
  }
}

const running = (
  { codec, run, options }: Extract<Definition, { _tag: "Session" }>,
  context: Context.Context<never>,
): Prepared => {
  const runner = run as Runner // its frames come from this codec, its needs from this context
  return {
    codec,
    manners: (options ?? {}) as Manners<unknown, never>, // likewise
    context,
    begin(engine) {
      const driver = new SessionDriver(engine)
      const connection = new Session(engine, driver)
      engine.start(driver)
      driver.begin(Effect.suspend(() => runner(connection)))
      return connection
    },
  }
}

const authenticating = (
  { authentication, service }: Extract<Definition, { _tag: "Authenticated" }>,
  context: Context.Context<never>,
): Prepared => {
  const strangers = new Authentication.Strangers(authentication.maxUnauthenticated)
  return {
    codec: authentication.codec,
    manners: {},
    context,
    begin: (engine) =>
      Authentication.begin(engine, authentication, strangers, (identity) => {
        const next = service(identity as never) // the handshake's
        return Effect.flatMap(Effect.scope, (scope) =>
          Effect.map(
            prepareWith(next, Context.add(context, Scope, scope)),
            ({ codec, manners, context, begin }) => () => {
              engine.become(codec, manners, context)
              begin(engine)
            },
          ))
      }),
  }
}
