/** The fixture of each runtime, started for the tests of a file, and what the tests ask it. */
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, describe } from "vitest"
import { Child, type Runtime, runtimes } from "./child.ts"
import { type Client, connect, disconnectAll } from "./client.ts"

/** How the fixture is started: Deno gets no permission but that of its address. */
const command = (runtime: Runtime, host: string, net: string): ReadonlyArray<string> => {
  const script = join(import.meta.dirname, "fixture.ts")
  return runtime === "deno"
    ? ["deno", "run", "--no-prompt", "--quiet", `--allow-net=${net}`, script, host]
    : [runtime, script, host]
}

/** The process. `cpu` in milliseconds since its start, `memory` in bytes. */
export interface Stats {
  readonly memory: number
  readonly cpu: number
  readonly resources: number
}

/** One service's server. */
export interface Summary {
  readonly state: string
  readonly listening: ReadonlyArray<string>
  readonly opened: number
  readonly connections: number
  readonly reasons: Record<string, number>
  readonly failures: number
  readonly chunks: number
  readonly writes: number
}

/** How a connection ended, as the server reported it. */
export interface Closed {
  readonly reason: string
  readonly detail?: string
  readonly unsent: number
  readonly bytesReceived: number
  readonly bytesSent: number
  readonly framesReceived: number
  readonly framesSent: number
}

/** The fixture in the process of one runtime. */
export class Fixture {
  readonly runtime: Runtime
  readonly #child: Child
  readonly #ports: Record<string, number>

  constructor(runtime: Runtime, child: Child, ports: Record<string, number>) {
    this.runtime = runtime
    this.#child = child
    this.#ports = ports
  }

  /** Starts it; `net` is what Deno may listen on. */
  static async start(runtime: Runtime, host = "127.0.0.1", net = host): Promise<Fixture> {
    const child = new Child(command(runtime, host, net))
    const ports = await child.line("stdout", (line) => line.startsWith("{") ? JSON.parse(line) : undefined)
    return new Fixture(runtime, child, ports)
  }

  /** The port of a service. */
  port(service: string): number {
    return this.#ports[service]!
  }

  connect(service: string, { paused = false, host = "127.0.0.1" } = {}): Promise<Client> {
    return connect(this.port(service), host, paused)
  }

  /** Sends a command to the control port; its answer. */
  async control(line: string): Promise<unknown> {
    const client = await this.connect("control")
    try {
      return JSON.parse(await client.ask(line))
    } finally {
      client.socket.destroy()
    }
  }

  async stats(): Promise<Stats> {
    return await this.control("stats") as Stats // what the fixture says
  }

  async service(name: string): Promise<Summary> {
    return await this.control(`service ${name}`) as Summary // likewise
  }

  /** How the server saw this client's connection end, once it has. */
  closed(service: string, { port }: { readonly port: number }): Promise<Closed> {
    return eventually(async () => await this.control(`closed ${service} ${port}`) as Closed | null) // likewise
  }

  /** Waits until a service has no connections. */
  empty(service: string): Promise<Summary> {
    return eventually(async () => {
      const summary = await this.service(service)
      return summary.connections === 0 ? summary : undefined
    })
  }

  /** Ends it by `stop`; how it ended. */
  async stop(): Promise<number | string> {
    await this.control("stop")
    return (await this.#child.ended).code
  }

  /** Ends it in any case. */
  async kill(): Promise<void> {
    await this.#child.kill()
  }
}

/** Asks again every 10 ms until there is an answer; the test's timeout is the bound. */
export const eventually = async <A>(ask: () => Promise<A | undefined | null>): Promise<A> => {
  for (;;) {
    const answer = await ask()
    if (answer !== undefined && answer !== null) return answer
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** A group of tests for each runtime, against its fixture. */
export const onEveryRuntime = (tests: (fixture: () => Fixture, runtime: Runtime) => void): void => {
  const fixtures = new Map<Runtime, Fixture>()
  beforeAll(async () => {
    await Promise.all(runtimes.map(async (runtime) => fixtures.set(runtime, await Fixture.start(runtime))))
  })
  afterEach(disconnectAll)
  afterAll(async () => {
    for (const fixture of fixtures.values()) await fixture.kill()
  })
  for (const runtime of runtimes) describe(runtime, () => tests(() => fixtures.get(runtime)!, runtime))
}
