/**
 * What is answered to which request: a request in, a response out, no sockets.
 *
 * The three paths read and change nothing, and are asked by programs that use whatever name they have; so they are
 * exempt from the check of `Host`. Whatever comes later is not.
 */
import { contentType, render } from "./exposition.ts"
import * as Hosts from "./hosts.ts"
import type { Metrics, Reading } from "./metrics.ts"
import type { Readiness } from "./readiness.ts"

/** What of a request decides. */
export interface Request {
  readonly method: string
  /** As it stands in the request line: path and query. */
  readonly target: string
  readonly host: string | undefined
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
  readonly readiness: Readiness
  readonly metrics: Metrics
  /** Labels of `anyport_build_info`. */
  readonly build: Reading["build"]
}

const longestTarget = 1_024

/** Answers a request. */
export const answer = ({ method, target, host }: Request, sources: Sources): Response => {
  if (target.length > longestTarget) return text(414, `The target is longer than ${longestTarget} characters`)
  const [path = "", query = ""] = target.split("?", 2)
  const route = Object.hasOwn(exempt, path) ? exempt[path] : undefined
  if (route === undefined) {
    return Hosts.trusted(host)
      ? text(404, `Nothing is here; there is ${Object.keys(exempt).join(", ")}`)
      : text(421, "The Host is a name; ask by an IP address, or by localhost")
  }
  if (method !== "GET" && method !== "HEAD") return { ...text(405, "Wanted is GET or HEAD"), allow: "GET, HEAD" }
  return route(sources, new URLSearchParams(query))
}

const text = (status: number, ...lines: ReadonlyArray<string>): Response => ({
  status,
  type: "text/plain; charset=utf-8",
  body: lines.map((line) => `${line}\n`).join(""),
})

type Route = (sources: Sources, query: URLSearchParams) => Response

const exempt: Readonly<Record<string, Route>> = {
  // That it answers at all is the answer.
  "/livez": () => text(200, "ok"),
  "/readyz": ({ readiness: { checks } }, query) => {
    const wrong = checks.filter(({ problem }) => problem !== undefined)
    const status = wrong.length === 0 ? 200 : 503
    if (query.has("verbose")) {
      return text(
        status,
        ...checks.map(({ name, problem }) => problem === undefined ? `ok ${name}` : `not ok ${name}: ${problem}`),
      )
    }
    return wrong.length === 0 ? text(200, "ok") : text(503, ...wrong.map(({ name, problem }) => `${name}: ${problem}`))
  },
  "/metrics": ({ readiness, metrics, build }) => {
    const { ready, draining, server } = readiness
    const reading = { ready, draining, usage: server?.usage, build }
    return { status: 200, type: contentType, body: render(metrics.families(reading)) }
  },
}
