/**
 * What the server under attack serves, once as requests and replies and once as sessions: lines in, bytes out.
 *
 * ```text
 * bulk N    the pattern of N bytes
 * last N    the same, then the server closes
 * wait N    "waited", after N milliseconds
 * push      64 KiB again and again, until they cannot be sent; nothing interrupts that
 * else      `echo: ` and the line
 * ```
 */
import * as Effect from "effect/Effect"
import * as CloseReason from "../../../../core/CloseReason.ts"
import type { Codec } from "../../../../core/Codec.ts"
import * as Lines from "../../../../core/codecs/Lines.ts"
import * as Raw from "../../../../core/codecs/Raw.ts"
import type { Connection } from "../../../../core/Connection.ts"
import * as Service from "../../../../core/Service.ts"
import { pattern } from "../pattern.ts"

const orders: Codec<string, Uint8Array> = {
  decoder: Lines.make({ maxLength: 4_096 }).decoder,
  encoder: Raw.make({ maxLength: 65_536 }).encoder,
}

/** Why frames could not be sent, of those that `push` sent, by reason. */
export const unsendable: Record<string, number> = {}

const utf8 = new TextEncoder()
const piece = pattern(65_536)

// The usual one is made once, so that asking for it costs a client more than the server.
const patternOf = (length: number): Uint8Array => length === piece.length ? piece : pattern(length)

const push = (connection: Connection<Uint8Array>): Effect.Effect<Uint8Array> =>
  Effect.forever(Effect.andThen(connection.send(piece), Effect.sleep("1 millis"))).pipe(
    Effect.catch((reason) =>
      Effect.sync(() => {
        const label = CloseReason.label(reason)
        unsendable[label] = (unsendable[label] ?? 0) + 1
        return piece
      })
    ),
    Effect.uninterruptible,
  )

interface Answer {
  readonly bytes: Uint8Array
  readonly last: boolean
}

const answer = (line: string, connection: Connection<Uint8Array>): Effect.Effect<Answer> => {
  const [command, amount] = line.split(" ")
  const reply = (bytes: Uint8Array, last = false): Answer => ({ bytes, last })
  switch (command) {
    case "bulk":
    case "last":
      return Effect.succeed(reply(patternOf(Number(amount)), command === "last"))
    case "wait":
      return Effect.as(Effect.sleep(Number(amount)), reply(utf8.encode("waited\n")))
    case "push":
      return Effect.map(push(connection), (bytes) => reply(bytes))
    default:
      return Effect.succeed(reply(utf8.encode(`echo: ${line}\n`)))
  }
}

/** Requests and replies. */
export const respond: Service.Service = Service.respond(
  orders,
  (line, connection) =>
    Effect.mapEager(answer(line, connection), ({ bytes, last }) => last ? Service.last(bytes) : bytes),
)

/** The same by a session, one request at a time. */
export const session: Service.Service = Service.session(orders, (connection) =>
  Effect.gen(function* () {
    for (;;) {
      const line = yield* connection.receive
      if (line === undefined) return
      const { bytes, last } = yield* answer(line, connection)
      yield* connection.send(bytes)
      if (last) return
    }
  }))
