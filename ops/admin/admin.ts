/**
 * The admin endpoint: an HTTP server on an address of its own, for those who watch the program and not for its clients.
 * It binds before the server starts and answers until the last connection has ended.
 *
 * `node:http` on all three runtimes. What it answers is `routes.ts`; here are the socket and its bounds.
 */
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import type * as Http from "node:http"
import process from "node:process"
import * as Address from "../../core/Address.ts"
import { ListenError, Sockets } from "../../core/Sockets.ts"
import * as Permissions from "../permissions.ts"
import { answer, type Response, type Sources } from "./routes.ts"

/** An admin endpoint that listens. */
export interface Admin {
  readonly address: Address.Address
  /** Connections at once: few, and no client of the service can take them. More are closed. */
  readonly maxConnections: number
}

const maxConnections = 32

/**
 * Listens until the scope closes, without keeping the process alive. Where workers can be replaced by it, a Unix socket
 * is made with mode 0600.
 */
export const listen = Effect.fnUntraced(function* (
  wanted: Address.Address,
  sources: Sources,
): Effect.fn.Return<Admin, ListenError, Sockets | Scope> {
  const sockets = yield* Sockets
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const [first] = Address.loopbacks(wanted)
  const owner = sources.roll !== undefined && canBeOwned(first)
  // Binding by the port first gives the same errors as the service's address: of permissions, which Deno's `node:http`
  // throws where nobody catches it, and of Unix sockets, of which it takes over a stale one.
  yield* Effect.scoped(sockets.listen({ address: first }, (transport) => transport.abort()))
  const http = yield* Effect.promise(() => import("node:http"))
  const server = yield* Effect.acquireRelease(
    bind(
      http.createServer(options, (request, response) => {
        const { method = "", url: target = "", headers } = request
        // A rolling restart is silent for longer than a connection may be.
        if (method === "POST" && owner) request.socket.setTimeout(0)
        run(Effect.map(answer({ method, target, host: headers.host, owner }, sources), send(request, response)))
      }),
      first,
      owner,
    ),
    (server) =>
      Effect.sync(() => {
        server.close()
        server.closeAllConnections()
      }),
  )
  const address = boundTo(server, first)
  yield* Effect.annotateLogs(Effect.logInfo("admin listening"), { address: Address.format(address) })
  return { address, maxConnections }
})

/** Whether a socket there can be made for its owner alone: abstract ones have no mode, and Deno has to be asked. */
const canBeOwned = (address: Address.Address): boolean =>
  address._tag === "Unix" && !address.path.startsWith("\0") && process.platform !== "win32" &&
  Permissions.granted({ name: "sys", kind: "umask" })

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

const send =
  ({ method, headers }: Http.IncomingMessage, response: Http.ServerResponse) =>
  ({ status, type, body, allow }: Response): void => {
    // Nobody waits for a body that nobody reads.
    if (
      method === "POST" || headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0
    ) {
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

const bind = (server: Http.Server, address: Address.Address, owned: boolean): Effect.Effect<Http.Server, ListenError> =>
  Effect.callback((resume) => {
    server.maxConnections = maxConnections
    server.timeout = silence
    const failed = (cause: unknown): void =>
      resume(Effect.fail(new ListenError({ problem: problemOf(cause), address, cause })))
    server.once("error", failed)
    // All three runtimes bind within the call; a mode that is set afterwards comes too late for who connects before.
    const mask = owned ? process.umask(0o177) : undefined
    server.listen(address._tag === "Tcp" ? { host: address.host, port: address.port } : { path: address.path }, () => {
      server.off("error", failed)
      // Accepting failed; it goes on by itself, and the service's own listener says so as well.
      server.on("error", () => {})
      server.unref()
      resume(Effect.succeed(server))
    })
    if (mask !== undefined) process.umask(mask)
  })

// It could be bound a moment ago.
const problemOf = (cause: unknown): ListenError["problem"] =>
  cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE" ? "AddressInUse" : "Unknown"

const boundTo = (server: Http.Server, wanted: Address.Address): Address.Address => {
  const bound = server.address()
  return typeof bound === "object" && bound !== null ? Address.tcp(bound.address, bound.port) : wanted
}
