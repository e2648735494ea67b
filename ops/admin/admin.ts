/**
 * The admin endpoint: an HTTP server on an address of its own, for those who watch the program and not for its clients.
 * It binds before the server starts and answers until the last connection has ended.
 *
 * `node:http` on all three runtimes. What it answers is `routes.ts`; here are the socket and its bounds.
 */
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import type * as Http from "node:http"
import * as Address from "../../core/Address.ts"
import type { Observer } from "../../core/Event.ts"
import type { Server } from "../../core/Server.ts"
import { ListenError, Sockets } from "../../core/Sockets.ts"
import { Metrics } from "./metrics.ts"
import { Readiness } from "./readiness.ts"
import { answer, type Sources } from "./routes.ts"

/** An admin endpoint that listens. */
export interface Admin {
  readonly address: Address.Address
  /** Connections at once: few, and no client of the service can take them. More are closed. */
  readonly maxConnections: number
  /** Has to see every event of the server, from the first on. */
  readonly observe: Observer
  /** The server has started. */
  started(server: Server): void
}

const maxConnections = 32

/** Listens until the scope closes, without keeping the process alive. `version` is that of Anyport. */
export const make = Effect.fnUntraced(function* (
  wanted: Address.Address,
  version: string,
): Effect.fn.Return<Admin, ListenError, Sockets | Scope> {
  const { listen, capabilities } = yield* Sockets
  const [runtime = "", runtimeVersion = ""] = capabilities.runtime.split(" ")
  const sources: Sources = {
    readiness: new Readiness(),
    metrics: new Metrics(),
    build: { version, runtime, runtime_version: runtimeVersion },
  }
  const [first] = Address.loopbacks(wanted)
  // Binding by the port first gives the same errors as the service's address: of permissions, which Deno's `node:http`
  // throws where nobody catches it, and of Unix sockets, of which it takes over a stale one.
  yield* Effect.scoped(listen({ address: first }, (transport) => transport.abort()))
  const http = yield* Effect.promise(() => import("node:http"))
  const server = yield* Effect.acquireRelease(
    bind(http.createServer(options, respond(sources)), first),
    (server) =>
      Effect.sync(() => {
        server.close()
        server.closeAllConnections()
      }),
  )
  const { readiness, metrics } = sources
  return {
    address: boundTo(server, first),
    maxConnections,
    observe: (event) => {
      metrics.observe(event)
      readiness.observe(event)
    },
    started: (server) => {
      readiness.server = server
    },
  }
})

// A request is one small packet; whoever takes longer wants to hold the place. Milliseconds and bytes.
const options: Http.ServerOptions = {
  maxHeaderSize: 8_192,
  headersTimeout: 5_000,
  requestTimeout: 5_000,
  keepAliveTimeout: 15_000,
  connectionsCheckingInterval: 1_000,
}
/** Without a byte either way. More than `keepAliveTimeout`, which it must not undercut. */
const silence = 30_000

const respond = (sources: Sources) => (request: Http.IncomingMessage, response: Http.ServerResponse): void => {
  const { method = "", url: target = "", headers } = request
  const { status, type, body, allow } = answer({ method, target, host: headers.host }, sources)
  // Nobody waits for a body that nobody reads.
  if (headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0) {
    response.setHeader("connection", "close")
  }
  response.writeHead(status, {
    "content-type": type,
    "content-length": new TextEncoder().encode(body).length,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...(allow === undefined ? {} : { allow }),
  })
  response.end(method === "HEAD" ? undefined : body)
}

const bind = (server: Http.Server, address: Address.Address): Effect.Effect<Http.Server, ListenError> =>
  Effect.callback((resume) => {
    server.maxConnections = maxConnections
    server.timeout = silence
    const failed = (cause: unknown): void =>
      resume(Effect.fail(new ListenError({ problem: problemOf(cause), address, cause })))
    server.once("error", failed)
    server.listen(address._tag === "Tcp" ? { host: address.host, port: address.port } : { path: address.path }, () => {
      server.off("error", failed)
      // Accepting failed; it goes on by itself, and the service's own listener says so as well.
      server.on("error", () => {})
      server.unref()
      resume(Effect.succeed(server))
    })
  })

// It could be bound a moment ago.
const problemOf = (cause: unknown): ListenError["problem"] =>
  cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE" ? "AddressInUse" : "Unknown"

const boundTo = (server: Http.Server, wanted: Address.Address): Address.Address => {
  const bound = server.address()
  return typeof bound === "object" && bound !== null ? Address.tcp(bound.address, bound.port) : wanted
}
