import { Lines, Service } from "anyport"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as Schedule from "effect/Schedule"

class Down extends Data.TaggedError("Down")<{ readonly item: string }> {}

class Stock extends Context.Service<Stock, {
  readonly count: (item: string) => Effect.Effect<number, Down | CircuitBreaker.CircuitBreakerError>
}>()("tutorial/Stock") {}

/** A remote store of which the half that knows about pears does not answer. */
let asked = 0
const ask = (item: string): Effect.Effect<number, Down> =>
  Effect.suspend(() => {
    asked++
    return item === "pear" ? Effect.fail(new Down({ item })) : Effect.succeed(5)
  })

const guarded = Layer.effect(
  Stock,
  Effect.map(
    CircuitBreaker.make({ tripPolicy: CircuitBreaker.consecutive(2), openDuration: "30 seconds" }),
    ({ execute }) =>
      Stock.of({
        count: (item) =>
          ask(item).pipe(
            Effect.retry({ schedule: Schedule.exponential("10 millis"), times: 2 }),
            execute({ key: "stock" }),
          ),
      }),
  ),
).pipe(Layer.provide(CircuitBreaker.layerStoreMemory()))

const service = Service.respond(
  Lines.make({ maxLength: 80 }),
  Effect.fnUntraced(function* (line: string) {
    if (line === "asked") return `asked ${asked} times`
    const stock = yield* Stock
    const count = yield* Effect.mapError(
      stock.count(line),
      (cause) => new Service.Unavailable({ reply: "error: try again later", cause }),
    )
    return `${count} of ${line}`
  }),
)

export default Service.provide(service, guarded)
