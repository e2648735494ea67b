/**
 * An instance of several workers as a child process, and what its log says about them: who they are, when each began to
 * drain, and which rolling restarts are done.
 */
import { Child, type Runtime } from "../conformance/wire/child.ts"
import type { Place, Unanswered } from "./Flow.ts"

/** What Deno is granted for it. */
const permissions = ["--allow-net=127.0.0.1", "--allow-read=.", "--allow-env", "--allow-run=deno,cat"]

type Line = Readonly<Record<string, unknown>>

const pid = "test/conformance/wire/pid.ts"

/** What is served, and how. */
export interface Options {
  /** Default: one that says which process answers. */
  readonly service?: string
  /** Of a Unix socket. */
  readonly path?: string
  readonly flags?: ReadonlyArray<string>
}

/** A supervisor and its workers. */
export class Crew {
  readonly child: Child
  readonly place: Place
  #restarts = 0

  private constructor(child: Child, place: Place) {
    this.child = child
    this.place = place
  }

  /** Starts two workers, on a free port unless a path is given, and waits until they serve. */
  static async start(runtime: Runtime, { service = pid, path, flags = [] }: Options = {}): Promise<Crew> {
    const command = runtime === "deno" ? ["deno", "run", "--no-prompt", "--quiet", ...permissions] : [runtime]
    const where = path === undefined ? ["--port", "0"] : ["--unix", path]
    const child = new Child([...command, "cli/main.ts", "serve", service, ...where, "--workers", "2", ...flags])
    await child.line("stderr", (line) => line.includes('"workers ready"') || undefined)
    const port = Number(/"127\.0\.0\.1:([1-9]\d*)"/.exec(child.stderr)?.[1])
    return new Crew(child, path === undefined ? { host: "127.0.0.1", port } : { path })
  }

  /** The supervisor and all workers that there ever were. */
  get pids(): ReadonlyArray<number> {
    return [this.child.pid, ...this.#said("worker ready").map(({ pid }) => Number(pid))]
  }

  /** Replaces the workers and waits until the old ones are gone. Rejects when the new ones could not start. */
  async restart(): Promise<void> {
    const wanted = ++this.#restarts
    this.child.signal("SIGUSR2")
    await this.child.line("stderr", () => {
      if (this.#said("rolling restart failed, the old workers stay").length > 0) throw new Error(this.child.stderr)
      return this.#said("rolling restart done").length >= wanted || undefined
    })
  }

  /** How many connections the workers that have drained had to force. */
  get forced(): number {
    return this.#said("drained").reduce((sum, { forced }) => sum + Number(forced), 0)
  }

  /** Lines that had arrived before the worker that had them began to drain. The others came too late for an answer. */
  lost(unanswered: ReadonlyArray<Unanswered>): number {
    const began = this.#drains()
    return unanswered.filter(({ pid, sent }) => sent < (began.get(pid) ?? Infinity))
      .reduce((sum, { count }) => sum + count, 0)
  }

  /** Ends it; how it ended. */
  async end(): Promise<number | string> {
    this.child.signal("SIGTERM")
    return (await this.child.ended).code
  }

  /** When each process began to drain, in milliseconds since 1970. A place's n-th drain is that of the n-th who had it. */
  #drains(): ReadonlyMap<number, number> {
    const ready = this.#said("worker ready")
    const draining = this.#said("draining").filter(({ phase }) => phase === "announced")
    const numbers = new Set(ready.map(({ worker }) => worker))
    return new Map([...numbers].flatMap((number) => {
      const mine = ({ worker }: Line): boolean => worker === number
      const pids = ready.filter(mine).map(({ pid }) => Number(pid))
      return draining.filter(mine).map(({ time }, index) => [pids[index]!, Date.parse(String(time))] as const)
    }))
  }

  #said(message: string): ReadonlyArray<Line> {
    return this.child.stderr.split("\n").filter((line) => line.includes(`"${message}"`)).map((line) => JSON.parse(line))
  }
}
