/**
 * Sockets that systemd has opened and listens on, passed to this process as descriptors from 3 on (socket activation,
 * sd_listen_fds(3)). While the server is started anew clients wait in systemd's backlog, and nobody is refused.
 *
 * They are named here, and taken over by the adapter of a runtime that can. That children do not get them is the
 * runtimes' doing: Node and Bun close them in whatever they start.
 */
import * as Effect from "effect/Effect"
import { readFileSync, readlinkSync } from "node:fs"
import process from "node:process"
import * as Address from "../../core/Address.ts"
import { SettingsError } from "../../core/Settings.ts"
import * as Environment from "../environment.ts"
import * as Permissions from "../permissions.ts"

/** A socket that was passed, by the name that its unit gives it (`FileDescriptorName=`; default the unit's own). */
export interface Inherited {
  readonly descriptor: number
  readonly name: string
}

/** The variables by which systemd says so. */
export interface Variables {
  readonly LISTEN_PID: string | undefined
  readonly LISTEN_FDS: string | undefined
  /** Behind colons; systemd before version 227 has none. */
  readonly LISTEN_FDNAMES: string | undefined
}

const first = 3 // SD_LISTEN_FDS_START

/** What was passed to the process `pid`: nothing where the variables were meant for another. Throws a SettingsError. */
export const passed = (
  { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES }: Variables,
  pid: number,
): ReadonlyArray<Inherited> => {
  if (LISTEN_FDS === undefined || LISTEN_PID === undefined) return []
  if (!/^[1-9]\d*$/.test(LISTEN_PID)) throw new SettingsError("LISTEN_PID", LISTEN_PID, "the id of a process")
  if (Number(LISTEN_PID) !== pid) return []
  const count = Number(LISTEN_FDS)
  if (!/^[1-9]\d*$/.test(LISTEN_FDS) || count > most) {
    throw new SettingsError("LISTEN_FDS", LISTEN_FDS, `a number of sockets from 1 to ${most}`)
  }
  const names = LISTEN_FDNAMES?.split(":") ?? []
  if (LISTEN_FDNAMES !== undefined && names.length !== count) {
    throw new SettingsError("LISTEN_FDNAMES", LISTEN_FDNAMES, `a name for each of LISTEN_FDS=${count}, behind colons`)
  }
  return Array.from({ length: count }, (_, index) => ({ descriptor: first + index, name: names[index] ?? "unknown" }))
}

// So that a mistake is not a list of thousands of millions.
const most = 1_024

/**
 * The one that is wanted, by name or number; the only one where nothing is said. Throws a SettingsError where it is not
 * clear which that is.
 */
export const choose = (all: ReadonlyArray<Inherited>, wanted: string | undefined): Inherited | undefined => {
  const accepted = all.map(({ descriptor, name }) => `${descriptor} (${name})`).join(", ")
  if (wanted === undefined) {
    if (all.length < 2) return all[0]
    throw new SettingsError("LISTEN_FDS", String(all.length), `1, or --listen-fd with one of ${accepted}`)
  }
  const named = all.filter(({ name }) => name === wanted)
  const numbered = all.filter(({ descriptor }) => String(descriptor) === wanted)
  const [one, ...others] = named.length > 0 ? named : numbered
  if (one !== undefined && others.length === 0) return one
  const none = "a socket that systemd passes to this process (LISTEN_FDS, LISTEN_PID), and it has passed none"
  throw new SettingsError("--listen-fd", wanted, all.length === 0 ? none : `one of ${accepted}`)
}

/** What the kernel says of this process; undefined where it says nothing or may not be asked. */
export interface Kernel {
  /** Where `/proc/self/fd/N` leads. */
  descriptor(number: number): string | undefined
  /** A table of `/proc/self/net`. */
  table(name: "tcp" | "tcp6" | "unix"): string
}

/**
 * The address that a descriptor is bound to, which nothing else says before it is listened on. Undefined when it is not
 * found: the socket belongs to another network namespace (`PrivateNetwork=`), or is none that listens.
 */
export const addressOf = (descriptor: number, kernel: Kernel = here): Address.Address | undefined => {
  const [, inode] = /^socket:\[(\d+)\]$/.exec(kernel.descriptor(descriptor) ?? "") ?? []
  if (inode === undefined) return undefined
  for (const name of ["tcp", "tcp6"] as const) {
    for (const line of kernel.table(name).split("\n")) {
      const [, local = "", , state, , , , , , owner] = line.trim().split(/\s+/)
      if (owner === inode && state === "0A") return endpoint(local)
    }
  }
  for (const line of kernel.table("unix").split("\n")) {
    const [, owner, path = ""] = /^\S+ \S+ \S+ \S+ \S+ \S+ +(\d+)(?: (.*))?$/.exec(line) ?? []
    if (owner === inode && path !== "") return Address.unix(path.replace(/^@/, "\0"))
  }
  return undefined
}

/** `0100007F:2328`: words of 32 bits in the order of the machine, and the port. Linux's servers are little-endian. */
const endpoint = (text: string): Address.Address => {
  const [host = "", port = ""] = text.split(":")
  const bytes = (host.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).reverse())
  if (bytes.length === 4) {
    return Address.tcp(bytes.map((byte) => parseInt(byte, 16)).join("."), parseInt(port, 16))
  }
  const groups = bytes.join("").match(/.{4}/g)!.join(":")
  return Address.tcp(new URL(`http://[${groups}]`).hostname.slice(1, -1), parseInt(port, 16)) // shortened, RFC 5952
}

const here: Kernel = {
  descriptor: (number) => trying(() => readlinkSync(`/proc/self/fd/${number}`)),
  table: (name) => trying(() => readFileSync(`/proc/self/net/${name}`, "latin1")) ?? "",
}

const trying = <A>(attempt: () => A): A | undefined => {
  if (!Permissions.everythingGranted()) return undefined // it would fail, or ask in a terminal
  try {
    return attempt()
  } catch {
    return undefined
  }
}

/**
 * Takes the socket that was passed to this process and is wanted, by name or number, and the variables out of the
 * environment. Undefined where none was passed and none is wanted. An address that nobody knows counts as the internet's.
 */
export const take = (
  wanted: string | undefined,
): Effect.Effect<{ readonly address: Address.Address; readonly descriptor: number } | undefined, SettingsError> =>
  Effect.suspend(() => {
    const variables: Variables = {
      LISTEN_PID: Environment.take("LISTEN_PID"),
      LISTEN_FDS: Environment.take("LISTEN_FDS"),
      LISTEN_FDNAMES: Environment.take("LISTEN_FDNAMES"),
    }
    try {
      const chosen = choose(passed(variables, process.pid), wanted)
      if (chosen === undefined) return Effect.undefined
      const { descriptor } = chosen
      return Effect.succeed({ descriptor, address: addressOf(descriptor) ?? Address.tcp("::", 0) })
    } catch (error) {
      return error instanceof SettingsError ? Effect.fail(error) : Effect.die(error)
    }
  })
