/**
 * The port over the sockets of whichever runtime runs this. Only that runtime's adapter is loaded.
 *
 * Nothing here falls back: a runtime with sockets of its own never gets `node:net`'s imitation of them.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Sockets } from "../core/Sockets.ts"

const load = (): Promise<{ readonly layer: Layer.Layer<Sockets> }> => {
  // Bun and Deno both have a `process` that calls itself Node: their own global is what tells.
  if ("Bun" in globalThis) return import("./bun.ts")
  if ("Deno" in globalThis) return import("./deno.ts")
  return import("./node.ts")
}

/** The sockets of Node, Bun or Deno. */
export const layer: Layer.Layer<Sockets> = Layer.unwrap(Effect.map(Effect.promise(load), (adapter) => adapter.layer))
