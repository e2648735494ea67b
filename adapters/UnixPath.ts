/**
 * The path of a Unix socket, which outlives its process when that was killed: no runtime removes such a stale one by
 * itself (https://github.com/oven-sh/bun/issues/29166, https://github.com/denoland/deno/pull/16394).
 *
 * It is removed only if it is a socket and nobody answers there. Whoever does answer sees one client that connects and
 * leaves at once. Where Linux lists the sockets that listen, it is asked as well: Bun takes a backlog that is full (EAGAIN)
 * for a refusal, and somebody else may have taken the path over since nobody answered. Abstract paths (NUL first) cannot be stale. Removing the path when a listener closes is not done here:
 * all three runtimes do it (Node by libuv, Deno since https://github.com/denoland/deno/pull/31947).
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as fs from "node:fs"
import { dirname, resolve } from "node:path"
import process from "node:process"
import type { Address } from "../core/Address.ts"
import { type ConnectError, ListenError } from "../core/Sockets.ts"
import { codeOf, listenError } from "./SystemError.ts"

/**
 * Binds with `bind`; where that finds a stale path, removes it and binds again. `connect` tells whether somebody
 * answers. A TCP address is just bound.
 */
export const takeOver = <A>(
  address: Address,
  bind: Effect.Effect<A, ListenError>,
  connect: Effect.Effect<void, ConnectError>,
): Effect.Effect<A, ListenError> => {
  if (address._tag === "Tcp" || address.path.startsWith("\0")) return bind
  return bind.pipe(
    Effect.catch((error) =>
      error.problem !== "AddressInUse" ? Effect.fail(explain(address.path, error)) : Effect.flatMap(
        Effect.result(connect),
        (answer) =>
          Result.isFailure(answer) && answer.failure.problem === "Refused"
            ? Effect.flatMap(removeSocket(address, error), () => bind)
            : Effect.fail(error),
      )
    ),
  )
}

const removeSocket = (address: Address & { readonly _tag: "Unix" }, inUse: ListenError) =>
  Effect.suspend(() => {
    try {
      if (!fs.lstatSync(address.path).isSocket() || hasListener(address.path)) return Effect.fail(inUse)
      fs.unlinkSync(address.path)
      return Effect.void
    } catch (cause) {
      // Whoever removed it in between did what was wanted.
      return codeOf(cause) === "ENOENT" ? Effect.void : Effect.fail(listenError(address, cause))
    }
  })

/** Whether Linux lists somebody who listens at a path. Deno would want every permission for that. */
const hasListener = (path: string): boolean => {
  if ("Deno" in globalThis || process.platform !== "linux") return false
  try {
    // `Num RefCount Protocol Flags Type St Inode Path`
    return fs.readFileSync("/proc/net/unix", "utf8").split("\n").some((line) => {
      const [, flags, bound] = /^\S+ \S+ \S+ (\S+) \S+ \S+ +\d+ (.*)$/.exec(line) ?? []
      return bound !== undefined && resolve(bound) === resolve(path) &&
        (Number.parseInt(flags!, 16) & acceptsClients) > 0
    })
  } catch {
    return false
  }
}

/** `__SO_ACCEPTCON` of Linux's `net.h`. */
const acceptsClients = 0x10000

// libuv says EACCES where the directory does not exist, which sends the operator looking for permissions. Deno does not,
// and throws when it is asked about a directory that it may not read.
const explain = (path: string, error: ListenError): ListenError =>
  codeOf(error.cause) === "EACCES" && !("Deno" in globalThis) && !fs.existsSync(dirname(path))
    ? new ListenError({ problem: "InvalidAddress", address: error.address, cause: error.cause })
    : error
