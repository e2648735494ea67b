/**
 * The sockets that a run connects by: those of the runtime, or, where source addresses are given, `node:net`'s, which alone
 * can bind one. Bun and Deno have it as well, and there it meets all clauses of the port.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import process from "node:process"
import { enforce, floors } from "../../adapters/Floor.ts"
import * as Address from "../../core/Address.ts"
import { ConnectError, type ConnectOptions, Sockets } from "../../core/Sockets.ts"

/** The sockets for connections from these addresses, by turns; none leave the choice to the system. */
export const layer = (sources: ReadonlyArray<string>): Layer.Layer<Sockets> =>
  Layer.unwrap(Effect.promise(async () => {
    if (sources.length === 0) return (await import("../../adapters/auto.ts")).layer
    const { layer } = await import("../../adapters/node.ts")
    const { bun, deno } = process.versions
    const version = bun ?? deno
    if (version === undefined) return layer
    const name = bun === undefined ? "deno" : "bun"
    return Layer.effect(
      Sockets,
      Effect.map(Sockets, (sockets) =>
        enforce(floors[name], version, {
          ...sockets,
          capabilities: { ...sockets.capabilities, runtime: `${name} ${version} by node:net` },
          connect: (options) => Effect.andThen(permitted(options), sockets.connect(options)),
        })),
    ).pipe(Layer.provide(layer))
  }))

/**
 * Fails where Deno has no permission for an address: its `node:net` throws where nobody can catch it, and the process would
 * end. Elsewhere everything is permitted.
 */
const permitted = ({ address, source }: ConnectOptions): Effect.Effect<void, ConnectError> => {
  const hosts = [
    ...address._tag === "Tcp" ? [Address.format(address)] : [],
    ...source === undefined ? [] : [Address.format(Address.tcp(source, 0))],
  ]
  const missing = hosts.filter((host) => denoPermissions?.querySync({ name: "net", host }).state !== "granted")
  if (denoPermissions === undefined || missing.length === 0) return Effect.void
  const cause = new Error(`Deno wants ${missing.map((host) => `--allow-net=${host}`).join(" ")}`)
  return Effect.fail(new ConnectError({ problem: "PermissionDenied", address, source, cause }))
}

interface Permissions {
  querySync(query: { readonly name: "net"; readonly host: string }): { readonly state: string }
}

// The global that only Deno has; nothing here has its types.
const denoPermissions = (globalThis as { readonly Deno?: { readonly permissions: Permissions } }).Deno?.permissions
