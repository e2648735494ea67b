/** The server under attack, as a child process of one runtime: what the scenarios and their judge ask it. */
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { Child, type Runtime } from "../child.ts"
import { type Client, connect } from "../client.ts"
import { eventually } from "../harness.ts"
import type { Options, Report } from "./Options.ts"

const script = join(import.meta.dirname, "..", "hostile.main.ts")

// Deno gets no permission but those of the addresses.
const command: Record<Runtime, (hosts: ReadonlyArray<string>) => ReadonlyArray<string>> = {
  node: () => ["node", "--expose-gc"],
  bun: () => ["bun", "--expose-gc"],
  deno: (hosts) => {
    const net = hosts.map((host) => host.includes(":") ? `[${host}]` : host).join(",")
    return ["deno", "run", "--no-prompt", "--quiet", "--v8-flags=--expose-gc", `--allow-net=${net}`]
  },
}

/** Which of its two services, and from where to which address. */
export interface Where {
  readonly service?: "respond" | "session"
  readonly paused?: boolean
  /** The client's own address. */
  readonly from?: string
  /** One of the server's hosts, by number. Default 0. */
  readonly host?: number
}

/** A server that listens. */
export class Target {
  readonly runtime: Runtime
  readonly #child: Child
  readonly #ports: ReadonlyArray<number>
  #asked = 0

  private constructor(runtime: Runtime, child: Child, ports: ReadonlyArray<number>) {
    this.runtime = runtime
    this.#child = child
    this.#ports = ports
  }

  /** Starts one, with so many file descriptors at most if that is given. */
  static async start(runtime: Runtime, options: Options, descriptors?: number): Promise<Target> {
    const limit = descriptors === undefined ? [] : ["prlimit", `--nofile=${descriptors}:${descriptors}`]
    const hosts = options.hosts ?? ["127.0.0.1"]
    const child = new Child([...limit, ...command[runtime](hosts), script, JSON.stringify(options)])
    const { ports } = await child.line("stdout", (line) => line.startsWith('{"ports"') ? JSON.parse(line) : undefined)
    return new Target(runtime, child, ports)
  }

  get pid(): number {
    return this.#child.pid
  }

  /** The port of a service on one of its hosts. */
  port({ service = "respond", host = 0 }: Where = {}): number {
    return this.#ports[2 * host + (service === "session" ? 1 : 0)]!
  }

  connect(where: Where = {}): Promise<Client> {
    return connect(this.port(where), "127.0.0.1", where.paused, where.from)
  }

  /** What it has seen and holds. */
  report(): Promise<Report> {
    return this.#ask("report")
  }

  /** The same after a garbage collection. */
  collect(): Promise<Report> {
    return this.#ask("collect")
  }

  /** Its report, once it is as it should be. Rejects when it has not become so within 20 s. */
  reports(wanted: (report: Report) => boolean): Promise<Report> {
    const deadline = performance.now() + 20_000
    return eventually(async () => {
      const report = await this.report()
      if (wanted(report)) return report
      if (performance.now() > deadline) throw new Error(`It reports ${JSON.stringify(report)}`)
      return undefined
    })
  }

  /** How many file descriptors it has open. */
  get descriptors(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length
  }

  /** What it died of, if it has. */
  get death(): Promise<Error | undefined> {
    const death = this.#child.ended.then(({ code, stderr }) =>
      new Error(`The server died with ${code}; it wrote: ${stderr.slice(0, 2_000) || "nothing"}`)
    )
    return Promise.race([death, sleep(50, undefined)])
  }

  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#child.signal(signal)
  }

  /** Tells it to end; how it did, and all that it wrote to stderr. */
  async stop(): Promise<{ readonly code: number | string; readonly stderr: string }> {
    this.#child.write("stop 0\n")
    return await this.#child.ended
  }

  /** Ends it in any case. */
  async kill(): Promise<void> {
    await this.#child.kill()
  }

  #ask(command: string): Promise<Report> {
    const number = ++this.#asked
    this.#child.write(`${command} ${number}\n`)
    return this.#child.line("stdout", (line) => line.startsWith(`{"reply":${number},`) ? JSON.parse(line) : undefined)
  }
}
