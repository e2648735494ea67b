/**
 * Handshakes for `Service.authenticate`: by a token that the peer knows, and by challenge and response, where what it
 * knows never crosses the wire. How their frames look is the protocol's to say.
 *
 * Secrets are compared as HMACs under a key that nobody knows, in constant time, so that neither how much of a token was
 * right nor how long it is can be measured; and an id that nobody has takes as long as a wrong secret. Neither is told to
 * the peer, nor the log.
 */
import * as Effect from "effect/Effect"
import * as Mac from "effect/crypto/Mac"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Layer from "effect/Layer"
import { type Handshake, LoginRefused } from "./Authentication.ts"
import type * as CloseReason from "./CloseReason.ts"
import type { Codec } from "./Codec.ts"
import type { Session } from "./Session.ts"

/** Somebody who may log in. Text is UTF-8. */
export interface Known<out Identity> {
  readonly identity: Identity
  readonly secret: string | Uint8Array
}

/** What both kinds of handshake have to know. */
export interface Options<In, Out, Identity, E, R> {
  readonly codec: Codec<In, Out>
  /** Who has this id; undefined for nobody. */
  readonly find: (id: string) => Effect.Effect<Known<Identity> | undefined, E, R>
  /** Makes what a peer is told that is let in. Default: nothing. */
  readonly welcome?: (identity: Identity) => Out
  /** What a peer is told that is not: whatever was wrong, the same. Default: nothing. */
  readonly refusal?: Out
}

/** Options of {@link token}. */
export interface TokenOptions<In, Out, Identity, E, R> extends Options<In, Out, Identity, E, R> {
  /** Reads the peer's first frame; undefined when it is no login. May throw: then it is none either. */
  readonly read: (frame: In) => { readonly id: string; readonly token: string | Uint8Array } | undefined
}

/** One frame of the peer with its id and a token that both know. */
export const token = <In, Out, Identity, E = never, R = never>(
  options: TokenOptions<In, Out, Identity, E, R>,
): Handshake<In, Out, Identity, E | CloseReason.CloseReason | LoginRefused<Out>, R> => ({
  codec: options.codec,
  run: Effect.fnUntraced(function* (connection) {
    const login = reading(options.read, yield* connection.receive)
    const known = login === undefined ? undefined : usable(yield* options.find(login.id))
    const equal = yield* equals(bytes(login?.token ?? ""), bytes(known?.secret ?? "."))
    return yield* settle(options, connection, equal ? known : undefined)
  }),
})

/** Options of {@link challenge}. */
export interface ChallengeOptions<In, Out, Identity, E, R> extends Options<In, Out, Identity, E, R> {
  /** Makes the frame that asks: 32 random bytes, which are never used again. It is sent first. */
  readonly ask: (nonce: Uint8Array) => Out
  /**
   * Reads the answer: an id, and HMAC-SHA-256 (RFC 2104) of the nonce under the secret; undefined when it is none. May
   * throw: then it is none either.
   */
  readonly read: (frame: In) => { readonly id: string; readonly proof: Uint8Array } | undefined
}

/** The server asks with a nonce, and the peer proves that it knows the secret: see {@link prove}. */
export const challenge = <In, Out, Identity, E = never, R = never>(
  options: ChallengeOptions<In, Out, Identity, E, R>,
): Handshake<In, Out, Identity, E | CloseReason.CloseReason | LoginRefused<Out>, R> => ({
  codec: options.codec,
  run: Effect.fnUntraced(function* (connection) {
    const nonce = yield* random(nonceBytes)
    yield* connection.send(options.ask(nonce))
    const answer = reading(options.read, yield* connection.receive)
    const known = answer === undefined ? undefined : usable(yield* options.find(answer.id))
    const expected = yield* prove(known?.secret ?? (yield* random(nonceBytes)), nonce)
    const proven = Mac.timingSafeEqual(expected, answer?.proof ?? new Uint8Array(expected.length))
    return yield* settle(options, connection, proven ? known : undefined)
  }),
})

/** What a peer answers to a nonce: HMAC-SHA-256 of it under the secret, 32 bytes. An empty secret proves nothing and dies. */
export const prove = (secret: string | Uint8Array, nonce: Uint8Array): Effect.Effect<Uint8Array> =>
  withCrypto(Effect.gen(function* () {
    const mac = yield* Mac.Mac
    return yield* mac.sign(yield* Mac.key(Mac.hmacSha256, bytes(secret)), nonce)
  }))

/** Whether two secrets are the same, in a time that says nothing of them. */
export const equals = (one: Uint8Array, other: Uint8Array): Effect.Effect<boolean> =>
  withCrypto(Effect.gen(function* () {
    const mac = yield* Mac.Mac
    const key = yield* mac.generateKey(Mac.hmacSha256)
    return Mac.timingSafeEqual(yield* mac.sign(key, one), yield* mac.sign(key, other))
  }))

const nonceBytes = 32
const encoder = new TextEncoder()
const bytes = (secret: string | Uint8Array): Uint8Array => typeof secret === "string" ? encoder.encode(secret) : secret

const web = Layer.provideMerge(Mac.layerWebCrypto, SecureRandom.layerWebCrypto)

/** Web Crypto, which every runtime has; that it fails is nobody's to handle. */
const withCrypto = <A, E>(effect: Effect.Effect<A, E, Mac.Mac | SecureRandom.SecureRandom>): Effect.Effect<A> =>
  Effect.orDie(Effect.provide(effect, web))

const random = (size: number): Effect.Effect<Uint8Array> =>
  withCrypto(Effect.flatMap(SecureRandom.SecureRandom, ({ randomBytes }) => randomBytes(size)))

/** Who has an empty secret has none. */
const usable = <Identity>(known: Known<Identity> | undefined): Known<Identity> | undefined =>
  known === undefined || known.secret.length === 0 ? undefined : known

const reading = <In, Login>(read: (frame: In) => Login | undefined, frame: In | undefined): Login | undefined => {
  if (frame === undefined) return undefined
  try {
    return read(frame)
  } catch {
    return undefined
  }
}

const settle = <In, Out, Identity>(
  { welcome, refusal }: Pick<Options<In, Out, Identity, unknown, unknown>, "welcome" | "refusal">,
  connection: Session<In, Out>,
  known: Known<Identity> | undefined,
): Effect.Effect<Identity, CloseReason.CloseReason | LoginRefused<Out>> => {
  if (known === undefined) return Effect.fail(new LoginRefused<Out>(refusal === undefined ? {} : { reply: refusal }))
  const { identity } = known
  return welcome === undefined ? Effect.succeed(identity) : Effect.as(connection.send(welcome(identity)), identity)
}
