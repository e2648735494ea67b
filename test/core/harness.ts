/** A server on a scripted network, with the events it emitted. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import type { Event } from "../../core/Event.ts"
import * as Server from "../../core/Server.ts"
import type { Service } from "../../core/Service.ts"
import { Script } from "./scripted.ts"

export interface Harness {
  readonly script: Script
  readonly server: Server.Server
  readonly events: Array<Event>
  /** The events with this tag, in order. */
  of<Tag extends Event["_tag"]>(tag: Tag): Array<Extract<Event, { _tag: Tag }>>
}

/** Serves on a scripted network until the test's scope closes. */
export const serve = Effect.fnUntraced(function* <R, E>(
  service: Service<R, E>,
  options: Omit<Server.Options, "listeners" | "observers"> = {},
) {
  const script = new Script()
  const events: Array<Event> = []
  const server = yield* Server.make({
    ...options,
    listeners: [{ address: "127.0.0.1:9000", service }],
    observers: [(event) => events.push(event)],
  }).pipe(Effect.provide(script.layer))
  // A test that ends with open connections does not wait for them: nobody moves its clock any more.
  yield* Effect.addFinalizer(() => Effect.sync(() => server.abort()))
  const harness: Harness = {
    script,
    server,
    events,
    of: (tag) => events.filter((event): event is Extract<Event, { _tag: typeof tag }> => event._tag === tag),
  }
  return harness
})

export type { Context, Scope }

/** Lets everything that is scheduled for the next turns of the loop happen; no time passes. */
export const turns: Effect.Effect<void> = Effect.gen(function* () {
  for (let turn = 0; turn < 8; turn++) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
})
