/**
 * By what workers share an address. Nothing here listens.
 *
 * - `reuseport`: each has a listening socket of its own, and the system gives each connection to one of them. Nothing
 *   stands between a client and its worker; who waits in the backlog of one that closes is reset.
 * - `cluster`: `node:cluster`, so Node only. The supervisor has the one socket, accepts, and hands connections over to
 *   the workers by turns. A Unix socket can be shared like that, and so can a port on systems without SO_REUSEPORT. No
 *   connection is reset when workers are replaced, for the socket stays open as long as there is one of them.
 */
import type { Address } from "../../core/Address.ts"

/** By what workers share an address. */
export type Share = "reuseport" | "cluster"

/** What may be asked for. */
export const shares = ["auto", "reuseport", "cluster"] as const

/** Where workers are to run. */
export interface Place {
  /** As in `Capabilities`: `node 24.1.0`. */
  readonly runtime: string
  readonly platform: string
  /** Whether a worker here has SO_REUSEPORT. */
  readonly reusePort: boolean
}

/** What is asked for, or what there is for that address here: `reuseport` where both are possible. */
export const choose = (
  asked: (typeof shares)[number],
  { _tag }: Address,
  { runtime, platform, reusePort }: Place,
): Share | { readonly problem: string } => {
  const isNode = runtime.startsWith("node ")
  if (asked === "cluster") {
    return isNode
      ? "cluster"
      : { problem: `--share cluster is Node's, and this is ${runtime}; accepted here are auto and reuseport` }
  }
  if (_tag === "Tcp" && reusePort) return "reuseport"
  if (asked === "auto" && isNode) return "cluster"
  const lacks = _tag === "Unix"
    ? `--workers shares a Unix socket only by --share cluster, which is Node's${
      isNode ? "" : `, and this is ${runtime}`
    }`
    : `--workers wants SO_REUSEPORT, which ${runtime} has not on ${platform}`
  const instead = isNode ? "leave --share out" : _tag === "Unix" ? "give --port, or leave --workers out" : single
  return { problem: `${lacks}; ${instead}` }
}

const single = "leave --workers out, or run servers on several ports behind a balancer"
