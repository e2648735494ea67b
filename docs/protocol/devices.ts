/** Devices log in, beat, and report; operators send commands to them by id, and get the answer. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { CloseReason, Codec, Directory, Lines, Login, Service } from "anyport"

const text = Schema.String.check(Schema.isMaxLength(200))
const id = Schema.Number.check(Schema.isInt())

/** What clients send: a JSON object a line. */
const Received = Schema.Union([
  Schema.Struct({ type: Schema.Literal("login"), id: text, token: text }),
  Schema.Struct({ type: Schema.Literal("pong") }),
  Schema.Struct({ type: Schema.Literal("report"), celsius: Schema.Number }),
  Schema.Struct({ type: Schema.Literal("done"), command: id, result: text }),
  Schema.Struct({ type: Schema.Literal("order"), device: text, what: text }),
])
type Received = typeof Received.Type

/** What they are sent. */
type Sent =
  | { readonly type: "welcome" | "ping" | "refused" | "bye" }
  | { readonly type: "command"; readonly id: number; readonly what: string }
  | { readonly type: "outcome"; readonly device: string; readonly outcome: Directory.Answer<string> }

const decode = Schema.decodeUnknownResult(Schema.fromJsonString(Received))
const codec: Codec.Codec<Received, Sent> = Codec.mapOrFail(Lines.make({ maxLength: 4_096 }), {
  decode: (line) => Result.mapError(decode(line), (error) => Codec.invalidFrame(error.message)),
  encode: (frame) => Result.succeed(JSON.stringify(frame)),
})

const secrets: Readonly<Record<string, { readonly secret: string; readonly operator?: boolean }>> = {
  "device-1": { secret: "one" },
  "device-2": { secret: "two" },
  "olga": { secret: "three", operator: true },
}
const handshake = Login.token({
  codec,
  read: (frame) => frame.type === "login" ? frame : undefined,
  find: (id) => {
    const known = Object.hasOwn(secrets, id) ? secrets[id] : undefined
    return Effect.succeed(known && { identity: { id, operator: known.operator === true }, secret: known.secret })
  },
  welcome: () => ({ type: "welcome" } as const),
  refusal: { type: "refused" } as const,
})

const make = Effect.map(Directory.make<string, Sent, string>(), (devices) => {
  const heartbeat = { ping: () => ({ type: "ping" } as const), isPong: (frame: Received) => frame.type === "pong" }
  const goodbye = () => ({ type: "bye" } as const)

  const operator = Service.respond(codec, (frame) => {
    if (frame.type !== "order") return Effect.fail<CloseReason.CloseReason>(CloseReason.kicked)
    const { device, what } = frame
    const outcome = devices.ask(device, (id) => ({ type: "command", id, what }), { timeout: "10 seconds" })
    return Effect.map(outcome, (outcome): Sent => ({ type: "outcome", device, outcome }))
  }, { concurrency: 16, heartbeat, goodbye })

  const device = (id: string) =>
    Service.session(codec, (connection) =>
      Effect.gen(function* () {
        const member = yield* devices.join(id, connection)
        for (;;) {
          const frame = yield* connection.receive
          if (frame === undefined) return
          if (frame.type === "done") member.answer(frame.command, frame.result)
          if (frame.type === "report") yield* Effect.logInfo(`${id}: ${frame.celsius} °C`)
        }
      }), { heartbeat, goodbye })

  return Service.authenticate(
    { handshake, timeout: "5 seconds" },
    ({ id, operator: may }) => may ? operator : device(id),
  )
})

export default Effect.runSync(make)
