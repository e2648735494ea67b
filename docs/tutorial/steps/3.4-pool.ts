import { Lines, Service } from "anyport"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Pool from "effect/Pool"

/** What the handlers need, whatever stands behind it. */
class Fruits extends Context.Service<Fruits, {
  readonly colour: (name: string) => Effect.Effect<string>
}>()("tutorial/Fruits") {}

/** A database of which a connection takes a while to open and answers one query at a time. */
const rows: Record<string, string> = { apple: "red", banana: "yellow", cherry: "red", lime: "green" }
const used = { open: 0, busy: 0, mostBusy: 0 }
const connection = Effect.acquireRelease(
  Effect.delay(Effect.sync(() => ++used.open), "20 millis"),
  () => Effect.sync(() => used.open--),
)
const query = Effect.fnUntraced(function* (name: string) {
  used.mostBusy = Math.max(used.mostBusy, ++used.busy)
  yield* Effect.sleep("20 millis")
  used.busy--
  return rows[name] ?? "unknown"
})

const pooled = Layer.effect(
  Fruits,
  Effect.map(
    Pool.make({ acquire: connection, size: 2 }),
    (pool) => Fruits.of({ colour: (name) => Pool.use(pool, () => query(name)) }),
  ),
)

const service = Service.respond(
  Lines.make({ maxLength: 80 }),
  (line) =>
    line === "stats"
      ? Effect.succeed(`open ${used.open}, busy at once ${used.mostBusy}`)
      : Effect.flatMap(Fruits, ({ colour }) => colour(line)),
  { concurrency: 8 },
)

export default Service.provide(service, pooled)
