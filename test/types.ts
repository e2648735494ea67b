/** What must type-check as it stands, and what must not. Nothing here runs: `tsc` in the gate is the test. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Scope } from "effect/Scope"
import { Lines, Server, Service, type Sockets } from "anyport"

class Stock extends Context.Service<Stock, { readonly count: number }>()("test/Stock") {}
class Prices extends Context.Service<Prices, { readonly of: number }>()("test/Prices") {}

type Running<E, R> = Effect.Effect<
  Server.Server,
  Sockets.ListenError | Server.SettingsError | E,
  Sockets.Sockets | Scope | R
>

const lines = Lines.make({ maxLength: 10 })
const echo = Service.respond(lines, (line) => Effect.succeed(line))
const stock = Service.respond(lines, (line) => Effect.map(Stock, ({ count }) => line + count))
const prices = Service.provide(
  Service.respond(lines, (line) => Effect.map(Prices, (prices) => line + prices.of)),
  Layer.effect(Prices, Effect.fail("no prices" as const)),
)

export const simple: Running<never, never> = Server.make({ listeners: [{ address: "[::1]:1", service: echo }] })

// The needs of all endpoints are the server's, and so are the failures of what they were provided with.
export const several: Running<"no prices", Stock> = Server.make({
  listeners: [{ address: "[::1]:1", service: stock }, { address: "[::1]:2", service: prices }],
})

// @ts-expect-error Stock is not provided
export const lacking: Running<never, never> = Server.make({ listeners: [{ address: "[::1]:1", service: stock }] })

// @ts-expect-error a maximum has no default
export const unbounded = Lines.make({})

// A handler knows the state that `open` makes.
export const counting = Service.respond(lines, (_, { state }) => Effect.succeed(String(++state.count)), {
  open: () => Effect.succeed({ count: 0 }),
})

// @ts-expect-error lines of text are answered with text
export const wrong = Service.respond(lines, () => Effect.succeed(1))

// `onError` sees the handler's errors beside those of the codec and defects.
export const careful = Service.respond(
  lines,
  (line) => line === "" ? Effect.fail(new Service.InvalidInput({ reply: "nothing?" })) : Effect.succeed(line),
  { onError: (error) => error._tag === "InvalidInput" ? error.reply : error._tag === "Defect" ? error.id : undefined },
)

// A plain handler answers a value, a promise or nothing, and knows the state that `open` makes.
export const plain = Service.plain(lines, (line, { state }) => line === "" ? undefined : `${++state.count}`, {
  open: () => Promise.resolve({ count: 0 }),
})

// @ts-expect-error lines of text are answered with text
export const wrongPlain = Service.plain(lines, () => Promise.resolve(1))
