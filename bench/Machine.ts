/**
 * What is measured on, disclosed in full: the machine, what bounds this process on it, and the versions of all that
 * takes part. It reads and judges nothing; what the machine does not tell is left out.
 */
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { arch, cpus, release, totalmem, type } from "node:os"
import { fileURLToPath } from "node:url"
import type { Machine, Result } from "./Result.ts"
import type { Program } from "./Contenders.ts"
import { versionOf } from "./Program.ts"

/** What is known beside what the machine says. */
export interface Given {
  /** The CPUs of the server and of the generator; undefined where nothing is pinned. */
  readonly pinned: { readonly server: number; readonly client: number } | undefined
  /** CPUs that this process may use, when nothing is pinned yet. */
  readonly cores: number
  /** Seconds before and of a measurement. */
  readonly warmup: number
  readonly seconds: number
}

/** Names and values as they are shown. */
export const describe = (given: Given): Machine =>
  told({
    CPU: cpus()[0]?.model.trim(),
    cores: `${cpus().length}, of which this process may use ${given.cores}`,
    governor: read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
    turbo: turbo(),
    memory: `${(totalmem() / 2 ** 30).toFixed(1)} GiB`,
    "swap in use": swap(),
    kernel: `${type()} ${release()} ${arch()}`,
    OS: /^PRETTY_NAME="?([^"\n]+)/m.exec(read("/etc/os-release") ?? "")?.[1],
    virtualization: virtualization(),
    container: container(),
    descriptors: /^Max open files\s+(\d+)/m.exec(read("/proc/self/limits") ?? "")?.[1],
    ...Object.fromEntries(sysctls.map((name) => [name, read(`/proc/sys/${name.replaceAll(".", "/")}`)])),
    network: "loopback",
    placement: given.pinned === undefined
      ? "server and generator share all cores: not pinned"
      : `server on CPU ${given.pinned.server}, generator on CPU ${given.pinned.client}`,
    trial: `${given.warmup} s of load before, ${given.seconds} s measured`,
  })

/** What has to be the same for trials to be of one result; of the rest some changes from minute to minute. */
export const decisive = ["CPU", "cores", "memory", "kernel", "OS", "placement", "trial"] as const

const sysctls = [
  "net.core.somaxconn",
  "net.core.rmem_max",
  "net.core.wmem_max",
  "net.ipv4.tcp_mem",
  "net.ipv4.tcp_rmem",
  "net.ipv4.tcp_wmem",
  "net.ipv4.tcp_max_syn_backlog",
  "net.ipv4.ip_local_port_range",
  "vm.swappiness",
]

const told = (values: Readonly<Record<string, string | undefined>>): Record<string, string> =>
  Object.fromEntries(Object.entries(values).flatMap(([name, value]) => value === undefined ? [] : [[name, value]]))

/** A small file of the system, in one line; undefined where it is not, or is not for this process. */
const read = (path: string): string | undefined => {
  try {
    const text = readFileSync(path, "utf8").trim()
    return text.includes("\n") ? text : text.replace(/\s+/g, " ")
  } catch {
    return undefined
  }
}

const turbo = (): string | undefined => {
  const off = read("/sys/devices/system/cpu/intel_pstate/no_turbo")
  if (off !== undefined) return off === "0" ? "on" : "off"
  const on = read("/sys/devices/system/cpu/cpufreq/boost")
  return on === undefined ? undefined : on === "1" ? "on" : "off"
}

const swap = (): string | undefined => {
  const kilobytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(read("/proc/meminfo") ?? "")?.[1])
  const used = kilobytes("SwapTotal") - kilobytes("SwapFree")
  return Number.isNaN(used)
    ? undefined
    : kilobytes("SwapTotal") === 0
    ? "there is none"
    : `${Math.round(used / 1_024)} MiB`
}

const virtualization = (): string | undefined => {
  const vendor = read("/sys/class/dmi/id/sys_vendor")
  const product = read("/sys/class/dmi/id/product_name")
  const hypervisor = /^flags\s*:.*\bhypervisor\b/m.test(read("/proc/cpuinfo") ?? "")
  const what = [vendor, product].filter((name) => name !== undefined && name !== "").join(" ")
  return hypervisor ? `a virtual machine${what === "" ? "" : ` (${what})`}` : what === "" ? undefined : what
}

const container = (): string | undefined => {
  const limits = [["CPU", "cpu.max"], ["memory", "memory.max"]].flatMap(([name, file]) => {
    const limit = read(`/sys/fs/cgroup/${file}`)
    return limit === undefined || limit.startsWith("max") ? [] : [`${name} ${limit}`]
  })
  return limits.length === 0 ? "no limits" : limits.join(", ")
}

/** Pages that went to swap or came from there since the machine started; undefined where it does not tell. */
export const swapped = (): number | undefined => {
  const counts = [...(read("/proc/vmstat") ?? "").matchAll(/^pswp(?:in|out) (\d+)/gm)].map(([, count]) => Number(count))
  return counts.length === 0 ? undefined : counts.reduce((sum, count) => sum + count, 0)
}

/** Versions of Anyport and of all that takes part, by name. `anyport` is the version of this package. */
export const versions = async (anyport: string, programs: ReadonlyArray<Program>): Promise<Result["versions"]> => {
  const runtimes = programs.flatMap(({ id, runtime, argv }): ReadonlyArray<readonly [string, string]> => {
    const own = runtime === undefined ? undefined : id.slice(id.lastIndexOf(`-${runtime}`) + 1) // `bun@1.3`
    return own === undefined || argv[0] === undefined ? [] : [[own, argv[0]]]
  })
  const found = [...new Map(runtimes)].map(async ([name, command]) => [name, await versionOf(command)] as const)
  return told({
    anyport,
    commit: commit(),
    ...Object.fromEntries(await Promise.all(found)),
    effect: effect(),
    ...programs.some(({ family }) => family === "go") ? { go: said("go", "version") } : {},
    ...programs.some(({ family }) => family === "c") ? { cc: said("cc", "--version") } : {},
  })
}

const said = (command: string, ...args: ReadonlyArray<string>): string | undefined => {
  const { stdout, status } = spawnSync(command, args, { encoding: "utf8", timeout: 10_000 })
  return status === 0 ? /^.*$/m.exec(stdout.trim())?.[0] : undefined
}

// What is published lies in repositories of others.
const commit = (): string | undefined => {
  if (!import.meta.url.endsWith(".ts")) return undefined
  const folder = fileURLToPath(new URL("..", import.meta.url))
  const hash = said("git", "-C", folder, "rev-parse", "--short=12", "HEAD")
  if (hash === undefined) return undefined
  const changes = said("git", "-C", folder, "status", "--porcelain", "--untracked-files=no")
  return changes === "" ? hash : `${hash} with changes`
}

const effect = (): string | undefined => {
  try {
    const manifest = new URL("../package.json", import.meta.resolve("effect/Effect"))
    return JSON.parse(readFileSync(fileURLToPath(manifest), "utf8")).version
  } catch {
    return undefined
  }
}
