/** `anyport serve` on a runtime, as a child process, and what it says in its log. */
import { Child, type Runtime } from "../child.ts"

/** A line of the log. */
export type Record = Readonly<globalThis.Record<string, unknown>>

/** How it is started. */
export interface Options {
  /** A module beside this one, or a path. Default: the built-in echo. */
  readonly service?: string | undefined
  readonly args?: ReadonlyArray<string>
  /** Where it listens. Default: a free port of loopback. */
  readonly address?: ReadonlyArray<string>
  /** Deno's permissions. Default: that of loopback. */
  readonly permissions?: ReadonlyArray<string>
}

/** The program. */
export class Program {
  readonly child: Child

  constructor(runtime: Runtime, { service, args = [], address = ["--port", "0"], permissions }: Options = {}) {
    const module = service === undefined ? [] : [service]
    const net = permissions ?? ["--allow-net=127.0.0.1"]
    const read = service === undefined ? [] : ["--allow-read=."]
    const command = runtime === "deno" ? ["deno", "run", "--no-prompt", "--quiet", ...net, ...read] : [runtime]
    this.child = new Child([...command, "cli/main.ts", "serve", ...module, ...address, ...args])
  }

  /** What it has said so far. */
  get log(): ReadonlyArray<Record> {
    return this.child.stderr.split("\n").slice(0, -1).map(record)
  }

  /** Its first line with this message, and of a drain with this phase, once it is there. */
  said(message: string, phase?: string): Promise<Record> {
    return this.child.line("stderr", (line) => {
      const found = record(line)
      return found["message"] === message && (phase === undefined || found["phase"] === phase) ? found : undefined
    })
  }

  /** The port that it listens on. */
  async port(message = "listening"): Promise<number> {
    return Number(/:(\d+)$/.exec(String((await this.said(message))["address"]))?.[1])
  }
}

const record = (line: string): Record => {
  try {
    return JSON.parse(line)
  } catch {
    return {}
  }
}
