/**
 * Whether this process runs in a container, as far as it may look: a loopback address there is reached from nowhere else.
 */
import * as Effect from "effect/Effect"
import { existsSync, readFileSync } from "node:fs"
import * as Address from "../core/Address.ts"
import * as Environment from "./environment.ts"
import * as Permissions from "./permissions.ts"

/** What can be looked at; undefined and false where it is not there or may not be read. */
export interface Surroundings {
  exists(path: string): boolean
  read(path: string): string | undefined
  variable(name: string): string | undefined
}

/** Docker and Podman leave a file, Kubernetes a variable, and others their name in the control group. */
export const detected = (
  { exists, read, variable }: Surroundings = here,
): boolean =>
  exists("/.dockerenv") || exists("/run/.containerenv") || variable("KUBERNETES_SERVICE_HOST") !== undefined ||
  /docker|containerd|kubepods|libpod|lxc/.test(read("/proc/1/cgroup") ?? "")

/** Warns when any of these is a loopback address and this is a container. */
export const warn = (addresses: ReadonlyArray<Address.Address>): Effect.Effect<void> => {
  const loopbacks = addresses.filter((address) => address._tag === "Tcp" && Address.isLocal(address))
  if (loopbacks.length === 0 || !detected()) return Effect.void
  return Effect.annotateLogs(
    Effect.logWarning("nobody outside this container can connect to a loopback address (--host ::, --admin [::]:PORT)"),
    { addresses: loopbacks.map(Address.format).join(" ") },
  )
}

const here: Surroundings = {
  exists: (path) => Permissions.granted({ name: "read", path }) && existsSync(path),
  read: (path) => {
    if (!Permissions.everythingGranted()) return undefined // it would fail, or ask in a terminal
    try {
      return readFileSync(path, "latin1")
    } catch {
      return undefined
    }
  },
  variable: Environment.read,
}
