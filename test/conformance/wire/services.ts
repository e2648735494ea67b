/**
 * The services that the fixture serves, by name, each for one kind of case. What they need of deadlines stands beside
 * them; ports, events and control are the fixture's.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Codec from "../../../core/Codec.ts"
import * as LengthPrefixed from "../../../core/codecs/LengthPrefixed.ts"
import * as Lines from "../../../core/codecs/Lines.ts"
import * as Raw from "../../../core/codecs/Raw.ts"
import type * as Server from "../../../core/Server.ts"
import * as Service from "../../../core/Service.ts"
import echo from "../../../services/echo.ts"
import { fnv1a, pattern } from "./pattern.ts"

/** A service and the deadlines of the server that it gets. */
export interface Served {
  readonly service: Service.Service
  readonly deadlines?: Server.DeadlineOptions
}

const lines = Lines.make({ maxLength: 1_024 })
const raw = Raw.make({ maxLength: 65_536 })
/** Lines in, bytes as they are out. */
const orders: Codec.Codec<string, Uint8Array> = { decoder: lines.decoder, encoder: raw.encoder }

const utf8 = new TextEncoder()

/** What `typed` speaks: a magic byte, a version, the text; behind a length and in front of a CRC-32. */
interface Message {
  readonly text: string
}

const magic = 0xca
const version = 1

const messages: Codec.Codec<Message, Message> = Codec.mapOrFail(
  Codec.checksum(LengthPrefixed.make({ maxLength: 4_096, width: 2 })),
  {
    decode(frame) {
      if (frame[0] !== magic) return Result.fail(Codec.invalidFrame(`Magic is ${frame[0]}, wanted ${magic}`))
      if (frame[1] !== version) return Result.fail(Codec.invalidFrame(`Version is ${frame[1]}, wanted ${version}`))
      return Result.succeed({ text: new TextDecoder().decode(frame.subarray(2)) })
    },
    encode: ({ text }) => Result.succeed(Uint8Array.of(magic, version, ...utf8.encode(text))),
  },
)

/** Everything that the fixture serves. */
export const services: Record<string, Served> = {
  /** The built-in one, as `anyport serve` has it. */
  echo: { service: echo },
  /** As `echo`, with the codec's defaults: a last line without LF is a truncated frame. */
  lines: { service: Service.respond(lines, (line) => Effect.succeed(`echo: ${line}`)) },
  /** As `lines`, and answers what is not UTF-8 before it closes. */
  text: {
    service: Service.respond(
      Lines.make({ maxLength: 1_024, invalidUtf8: "refuse" }),
      (line) => Effect.succeed(`echo: ${line}`),
      { onError: (error) => error._tag },
    ),
  },
  /** Echoes messages; answers what is none with the tag of the error. */
  typed: {
    service: Service.respond(messages, (message) => Effect.succeed(message), {
      onError: (error) => ({ text: `${error._tag}: ${"message" in error ? error.message : ""}` }),
    }),
  },
  /** Answers the line `N` with the pattern of N bytes. */
  bulk: { service: Service.respond(orders, (line) => Effect.succeed(pattern(Number(line)))) },
  /** As `bulk`; gives up on a peer that takes nothing for half a second. */
  impatient: {
    service: Service.respond(orders, (line) => Effect.succeed(pattern(Number(line)))),
    deadlines: { writeStall: "500 millis" },
  },
  /** As `bulk`, and closes after the first answer. */
  last: { service: Service.respond(orders, (line) => Effect.succeed(Service.last(pattern(Number(line))))) },
  /** Counts bytes until the peer's FIN, then sends `COUNT HASH` and ends. */
  count: {
    service: Service.session(raw, (connection) =>
      Effect.gen(function* () {
        let count = 0
        let hash: number | undefined
        for (;;) {
          const chunk = yield* connection.receive
          if (chunk === undefined) break
          count += chunk.length
          hash = fnv1a(chunk, hash)
        }
        yield* connection.send(utf8.encode(`${count} ${hash}\n`))
      })),
  },
  /** `throw`, `die` and `later` are defects of three kinds; other lines are echoed. */
  boom: {
    service: Service.respond(lines, (line) => {
      switch (line) {
        case "throw":
          throw new Error("thrown by the handler")
        case "die":
          return Effect.die(new Error("a defect of the handler"))
        case "later":
          return Effect.andThen(Effect.sleep("20 millis"), Effect.die(new Error("a late defect of the handler")))
        default:
          return Effect.succeed(`echo: ${line}`)
      }
    }),
  },
  /** Answers `N` after N milliseconds. */
  slow: {
    service: Service.respond(lines, (line) => Effect.as(Effect.sleep(`${Number(line)} millis`), line)),
  },
}
