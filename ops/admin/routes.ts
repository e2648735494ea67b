/**
 * What is answered to which request: a request in, a response out, no sockets.
 *
 * Three paths read and change nothing, and are asked by programs that use whatever name they have; so they are exempt
 * from the check of `Host`. `/roll` changes something: it is there only where the socket itself keeps strangers out, and
 * exempt from nothing.
 */
import * as Effect from "effect/Effect"
import { contentType, type Family, render } from "./exposition.ts"
import * as Hosts from "./hosts.ts"
import type { Check } from "./readiness.ts"

/** What of a request decides. */
export interface Request {
  readonly method: string
  /** As it stands in the request line: path and query. */
  readonly target: string
  readonly host: string | undefined
  /** It came by a socket that only the owner of this process can open. */
  readonly owner: boolean
}

/** What is sent. To HEAD without the body. */
export interface Response {
  readonly status: number
  readonly type: string
  readonly body: string
  /** For 405: what is allowed. */
  readonly allow?: string
}

/** What is answered from. */
export interface Sources {
  readonly readiness: Effect.Effect<{
    /** Whether new clients should come. */
    readonly ready: boolean
    /** The same ones in the same order each time, as far as that can be. */
    readonly checks: ReadonlyArray<Check>
  }>
  readonly families: Effect.Effect<ReadonlyArray<Family>>
  /** Replaces all workers. Default: there is no such path. */
  readonly roll?: Effect.Effect<Rolled>
}

/** How a rolling restart went: done, refused because something else is under way, or failed; and that in words. */
export interface Rolled {
  readonly status: 200 | 409 | 500
  readonly text: string
}

const longestTarget = 1_024

/** Answers a request. */
export const answer = (request: Request, sources: Sources): Effect.Effect<Response> => {
  const { method, target, host } = request
  if (target.length > longestTarget) return refuse(414, `The target is longer than ${longestTarget} characters`)
  const [path = "", query = ""] = target.split("?", 2)
  const route = Object.hasOwn(exempt, path) ? exempt[path] : undefined
  if (route !== undefined) {
    return method === "GET" || method === "HEAD"
      ? route(sources, new URLSearchParams(query))
      : notAllowed("Wanted is GET or HEAD", "GET, HEAD")
  }
  if (!Hosts.trusted(host)) return refuse(421, "The Host is a name; ask by an IP address, or by localhost")
  if (path === "/roll" && sources.roll !== undefined) return roll(request, sources.roll)
  const paths = [...Object.keys(exempt), ...sources.roll === undefined ? [] : ["/roll"]]
  return refuse(404, `Nothing is here; there is ${paths.join(", ")}`)
}

const roll = ({ method, owner }: Request, rolled: Effect.Effect<Rolled>): Effect.Effect<Response> => {
  if (!owner) {
    return refuse(
      403,
      "Whoever can connect here could replace the workers; that is for a Unix socket (--admin unix:/run/admin.sock), " +
        "which is made for its owner alone: not for an abstract one, and on Deno not without --allow-sys=umask. " +
        "SIGUSR2 does the same",
    )
  }
  if (method !== "POST") return notAllowed("Wanted is POST", "POST")
  return Effect.map(rolled, ({ status, text: how }) => text(status, how))
}

const text = (status: number, ...lines: ReadonlyArray<string>): Response => ({
  status,
  type: "text/plain; charset=utf-8",
  body: lines.map((line) => `${line}\n`).join(""),
})

const refuse = (status: number, why: string): Effect.Effect<Response> => Effect.succeed(text(status, why))

const notAllowed = (why: string, allow: string): Effect.Effect<Response> => Effect.succeed({ ...text(405, why), allow })

type Route = (sources: Sources, query: URLSearchParams) => Effect.Effect<Response>

const exempt: Readonly<Record<string, Route>> = {
  // That it answers at all is the answer.
  "/livez": () => Effect.succeed(text(200, "ok")),
  "/readyz": ({ readiness }, query) =>
    Effect.map(readiness, ({ ready, checks }) => {
      const status = ready ? 200 : 503
      if (query.has("verbose")) {
        return text(
          status,
          ...checks.map(({ name, problem }) => problem === undefined ? `ok ${name}` : `not ok ${name}: ${problem}`),
        )
      }
      if (ready) return text(status, "ok")
      const wrong = checks.filter(({ problem }) => problem !== undefined)
      return text(status, ...wrong.map(({ name, problem }) => `${name}: ${problem}`))
    }),
  "/metrics": ({ families }) =>
    Effect.map(families, (families) => ({ status: 200, type: contentType, body: render(families) })),
}
