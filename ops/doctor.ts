/**
 * What a server would find on this machine, and what each lack costs: the runtime's version, the descriptor limit, the
 * backlog, what sockets can do, and on Deno what was granted.
 *
 * What can be tried is tried, on loopback and on ports that the system chooses. Nothing is changed, and nothing prompts.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Scope } from "effect/Scope"
import { readFileSync } from "node:fs"
import { release } from "node:os"
import process from "node:process"
import * as Address from "../core/Address.ts"
import { presets } from "../core/Server.ts"
import { type Listener, type ListenError, Sockets } from "../core/Sockets.ts"
import * as Descriptors from "./descriptors.ts"
import * as Permissions from "./permissions.ts"

/** How one thing stands. */
export interface Check {
  readonly name: string
  /** `lacks`: a server runs without it. `unknown`: it cannot be seen from here. `fails`: no server can run. */
  readonly state: "ok" | "lacks" | "unknown" | "fails"
  readonly found: string
  /** What the lack costs, and what mends it. */
  readonly costs?: string
  readonly remedy?: string
  /** What was counted; null for no limit. */
  readonly figures?: Record<string, number | null>
}

/** All that was found. */
export interface Report {
  readonly anyport: string
  /** Whether a server can run here: nothing `fails`. */
  readonly ok: boolean
  readonly checks: ReadonlyArray<Check>
}

/** What is examined: this version of Anyport, on this runtime. */
export interface Subject {
  readonly anyport: string
  readonly runtime: {
    readonly name: string
    readonly version: string
    /** The oldest version that is supported, and why. */
    readonly floor: { readonly version: string; readonly reason: string }
    readonly supported: boolean
  }
}

/** Examines this machine. */
export const examine = ({ anyport, runtime }: Subject): Effect.Effect<Report, never, Sockets> =>
  Effect.gen(function* () {
    const sockets = runtime.supported ? [yield* ipv4, yield* ipv6, yield* reusePort] : []
    const limits = [descriptors(), backlog(), ...process.platform === "linux" ? [handOver()] : []]
    const checks = [version(runtime), system(), ...sockets, ...limits, ...permissions()]
    return { anyport, ok: checks.every(({ state }) => state !== "fails"), checks }
  })

/** The report as a table for people. */
export const format = ({ anyport, ok, checks }: Report): string => {
  const width = Math.max(...checks.map(({ name }) => name.length))
  const indent = `\n${" ".repeat(9 + width + 2)}`
  const lines = checks.map(({ name, state, found, costs, remedy }) => {
    const line = `${state.padEnd(7)}  ${name.padEnd(width)}  ${found}`
    return line + (costs === undefined ? "" : `${indent}costs:  ${costs}`) +
      (remedy === undefined ? "" : `${indent}remedy: ${remedy}`)
  })
  return [`anyport ${anyport}`, "", ...lines, "", ok ? "A server can run here." : "No server can run here.", ""].join(
    "\n",
  )
}

// ── The runtime and the system ─────────────────────────────────────────────────────────────────────────────────────

const version = ({ name, version, floor, supported }: Subject["runtime"]): Check => {
  const found = `${name} ${version}; supported is ${floor.version} or later`
  if (supported) return { name: "runtime", state: "ok", found }
  return {
    name: "runtime",
    state: "fails",
    found,
    costs: `no server starts, because ${floor.reason}`,
    remedy: `install ${name} ${floor.version} or later`,
  }
}

const system = (): Check => {
  const kernel = Permissions.granted({ name: "sys", kind: "osRelease" }) ? ` ${release()}` : ""
  const found = `${process.platform} ${process.arch}${kernel}`
  if (process.platform !== "win32") return { name: "system", state: "ok", found }
  return {
    name: "system",
    state: "lacks",
    found,
    costs: "Windows is best effort: nobody tests Anyport there",
    remedy: "run it on Linux, or in WSL",
  }
}

// ── Sockets ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Listens for a moment, and judges how that went. */
const attempt = (
  name: string,
  host: string,
  listen: Effect.Effect<Listener, ListenError, Sockets | Scope>,
  judge: (error: ListenError | undefined) => Omit<Check, "name">,
): Effect.Effect<Check, never, Sockets> =>
  Effect.map(Effect.result(Effect.scoped(listen)), (result) => {
    const error = Result.isFailure(result) ? result.failure : undefined
    const check = { name, ...judge(error) }
    if (error?.problem !== "PermissionDenied" || !("Deno" in globalThis)) return check
    const state = check.state === "fails" ? "fails" : "unknown"
    const remedy = `run deno with ${Permissions.flag({ name: "net", host })}`
    return { ...check, state, found: "Deno does not permit to try it", remedy }
  })

const listen = (address: Address.Address, reusePort = false) =>
  Effect.flatMap(Sockets, (sockets) => sockets.listen({ address, reusePort }, (transport) => transport.abort()))

const local4 = Address.tcp("127.0.0.1", 0)
const local6 = Address.tcp("::1", 0)

const ipv4 = attempt("IPv4 loopback", Address.format(local4), listen(local4), (error) => {
  if (error === undefined) return { state: "ok", found: "127.0.0.1 can be listened on" }
  return { state: "fails", found: error.message, costs: "nobody can be served from where nothing can be listened on" }
})

const ipv6 = attempt("IPv6 loopback", Address.format(local6), listen(local6), (error) => {
  if (error === undefined) return { state: "ok", found: "::1 can be listened on" }
  return { state: "lacks", found: error.message, costs: "clients that know only IPv6 cannot be served" }
})

const reusePort = Effect.flatMap(Sockets, ({ capabilities }) => {
  const name = "reusePort"
  const costs = capabilities.runtime.startsWith("node ")
    ? "one process accepts for all --workers (--share cluster), which takes more for each connection"
    : "one process a port: more CPUs want more ports, and a balancer before them"
  if (!capabilities.reusePort) {
    const remedy = "Deno" in globalThis && process.platform === "linux"
      ? "run deno with --unstable-net"
      : "run it on Linux"
    return Effect.succeed<Check>({ name, state: "lacks", found: "no port can be shared", costs, remedy })
  }
  const twice = Effect.flatMap(listen(local4, true), ({ address }) => listen(address, true))
  // The port of the second is not known before, so any has to be granted.
  return attempt(name, local4.host, twice, (error) => {
    if (error === undefined) return { state: "ok", found: "two listeners can share a port" }
    return { state: "lacks", found: error.message, costs }
  })
})

// ── Limits ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const descriptors = (): Check => {
  const name = "descriptors"
  const wanted = presets.local.limits.maxConnections
  const found = Descriptors.read()
  if (found === undefined) {
    return {
      name,
      state: "unknown",
      found: Descriptors.unreadable(),
      costs: "--max-connections is not lowered to what the descriptor limit carries",
      remedy: "see for yourself that `ulimit -n` exceeds --max-connections",
    }
  }
  const { limit, hard, open } = found
  const connections = Descriptors.capacity(found)
  const check = {
    name,
    found: `soft limit ${amount(limit)}, hard limit ${amount(hard)}, ${open} open: enough for ${
      amount(connections)
    } connections`,
    figures: { soft: finite(limit), hard: finite(hard), open, connections: finite(connections) },
  }
  if (connections >= wanted) return { ...check, state: "ok" }
  return {
    ...check,
    state: "lacks",
    costs: `connections beyond ${connections} are refused; without --max-connections it would be ${wanted}`,
    remedy: hard > limit
      ? `ulimit -n ${amount(hard)}`
      : "raise the hard limit: LimitNOFILE= of a systemd unit, --ulimit nofile= of a container, ulimit -n as root",
  }
}

const amount = (count: number): string => count === Infinity ? "unlimited" : String(count)
const finite = (count: number): number | null => count === Infinity ? null : count

/** What a listener asks for, by clause 9 of the port; Bun for one more. */
const wantedBacklog = 511

const backlog = (): Check => {
  const name = "backlog"
  const somaxconn = readSetting("/proc/sys/net/core/somaxconn")
  if (somaxconn === undefined) {
    return {
      name,
      state: "unknown",
      found: Descriptors.unreadable(),
      costs: `the system may let fewer than ${wantedBacklog} clients wait to be accepted`,
      remedy: `see for yourself that \`sysctl net.core.somaxconn\` is ${wantedBacklog} or more`,
    }
  }
  const figures = { somaxconn, wanted: wantedBacklog }
  if (somaxconn >= wantedBacklog) {
    return {
      name,
      state: "ok",
      found: `${wantedBacklog} clients may wait to be accepted (somaxconn ${somaxconn})`,
      figures,
    }
  }
  return {
    name,
    state: "lacks",
    found: `${somaxconn} clients may wait to be accepted, a listener asks for ${wantedBacklog}`,
    costs: "in a rush, clients beyond those are not answered and try again after a second or more",
    remedy: `sysctl -w net.core.somaxconn=${wantedBacklog}`,
    figures,
  }
}

/**
 * Whether Linux hands those who wait in the backlog of a worker that closes to another one, by the file with its setting.
 */
export const handOver = (file = "/proc/sys/net/ipv4/tcp_migrate_req"): Check => {
  const name = "hand-over"
  const costs = "of those who connect while --workers are replaced, the system may reset a few"
  const migrate = readSetting(file)
  if (migrate === 1) {
    return { name, state: "ok", found: "who waits for a worker that closes goes to another one (tcp_migrate_req 1)" }
  }
  if (migrate === 0) {
    return {
      name,
      state: "lacks",
      found: "who waits for a worker that closes is reset (tcp_migrate_req 0)",
      costs,
      remedy: "sysctl -w net.ipv4.tcp_migrate_req=1, or on Node --share cluster",
    }
  }
  if (!Permissions.everythingGranted()) {
    return {
      name,
      state: "unknown",
      found: Descriptors.unreadable(),
      costs,
      remedy: "see for yourself that `sysctl net.ipv4.tcp_migrate_req` is 1",
    }
  }
  return {
    name,
    state: "lacks",
    found:
      "who waits for a worker that closes is reset: net.ipv4.tcp_migrate_req is not there, which Linux has since 5.14",
    costs,
    remedy: "a newer kernel, or on Node --share cluster",
  }
}

/** A number of the system's; undefined where it cannot be read. */
const readSetting = (file: string): number | undefined => {
  if (!Permissions.everythingGranted()) return undefined
  try {
    const count = Number.parseInt(readFileSync(file, "latin1"), 10)
    return Number.isNaN(count) ? undefined : count
  } catch {
    return undefined
  }
}

// ── Deno's permissions ─────────────────────────────────────────────────────────────────────────────────────────────

/** What each is wanted for; what is granted by name is enough, and better. */
const wants = [
  [{ name: "net" }, "only what --allow-net=HOST:PORT names can be listened on and connected to"],
  [{ name: "read" }, "only service modules that --allow-read=PATH names can be loaded"],
  [{ name: "write" }, "only Unix sockets that --allow-read=PATH and --allow-write=PATH name can be listened on"],
  [{ name: "env" }, "a service reads only variables that --allow-env=NAME names, and by effect/Config none"],
  [{ name: "sys", kind: "osRelease" }, "this report does not name the system's version"],
] as const

const permissions = (): ReadonlyArray<Check> => {
  if (!("Deno" in globalThis)) return []
  return wants.map(([permission, costs]) => {
    const name = `permission ${permission.name}`
    const flag = Permissions.flag(permission)
    if (Permissions.granted(permission)) return { name, state: "ok", found: `${flag} is granted` }
    const whole = "kind" in permission ? "" : " as a whole"
    return { name, state: "lacks", found: `${flag} is not granted${whole}`, costs }
  })
}
