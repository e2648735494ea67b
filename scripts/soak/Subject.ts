/** The server that is soaked, as a child process of one runtime, and what it is asked. */
import { type ChildProcess, spawn } from "node:child_process"
import { readdirSync } from "node:fs"
import * as readline from "node:readline"
import { root, type Runtime } from "../child.ts"
import type { Report } from "./server.ts"

const commands: Record<Runtime, ReadonlyArray<string>> = {
  node: ["node", "--expose-gc"],
  bun: ["bun", "--expose-gc"],
  deno: ["deno", "run", "--no-prompt", "--quiet", "--v8-flags=--expose-gc", "--allow-net=127.0.0.1:0"],
}

/** For an answer, in milliseconds: a server that collects garbage on a machine that has other work. */
const patience = 60_000

/** A server that listens. */
export class Subject {
  readonly port: number
  readonly #child: ChildProcess
  readonly #lines: Lines

  private constructor(child: ChildProcess, lines: Lines, port: number) {
    this.#child = child
    this.#lines = lines
    this.port = port
  }

  /** Starts one. Rejects when it does not say where it listens. */
  static async start(runtime: Runtime): Promise<Subject> {
    const [name, ...args] = commands[runtime]
    const child = spawn(name!, [...args, "scripts/soak/server.ts"], { cwd: root, stdio: ["pipe", "pipe", "inherit"] })
    alive.add(child)
    const lines = new Lines(child)
    const { port } = JSON.parse(await lines.next())
    return new Subject(child, lines, port)
  }

  /** How many file descriptors it has open. */
  get descriptors(): number {
    return readdirSync(`/proc/${this.#child.pid}/fd`).length
  }

  /** What it holds; after a garbage collection where that is wanted. One at a time. */
  async ask(what: "sample" | "collect"): Promise<Report> {
    this.#child.stdin!.write(`${what}\n`) // a pipe, as it was asked for
    return JSON.parse(await this.#lines.next())
  }

  /** Ends it, and waits for that. */
  async stop(): Promise<void> {
    this.#child.kill("SIGKILL")
    await this.#lines.ended
    alive.delete(this.#child)
  }
}

/** What a child writes, line by line, none of which is kept. */
class Lines {
  readonly ended: Promise<void>
  #take: ((line: string) => void) | undefined
  #fail: ((error: Error) => void) | undefined
  #unread: Array<string> = []
  #why: Error | undefined

  constructor(child: ChildProcess) {
    child.on("error", (error) => this.#end(error))
    child.stdin!.on("error", () => {}) // `close` follows
    this.ended = new Promise((resolve) =>
      child.on("close", (code, signal) => {
        this.#end(new Error(`The server died with ${code ?? signal}`))
        resolve()
      })
    )
    readline.createInterface({ input: child.stdout! }).on("line", (line) => {
      if (this.#take === undefined) this.#unread.push(line)
      else this.#take(line)
    })
  }

  next(): Promise<string> {
    const line = this.#unread.shift()
    if (line !== undefined) return Promise.resolve(line)
    if (this.#why !== undefined) return Promise.reject(this.#why)
    return new Promise<string>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`The server said nothing in ${patience / 1_000} s`)), patience)
      this.#take = resolve
      this.#fail = reject
      this.#settle = () => clearTimeout(timer)
    }).finally(() => {
      this.#settle()
      this.#take = this.#fail = undefined
    })
  }

  #settle: () => void = () => {}

  #end(error: Error): void {
    this.#why ??= error
    this.#fail?.(this.#why)
  }
}

// A child must not outlive the script, not even when the script is ended from outside.
const alive = new Set<ChildProcess>()
process.on("exit", () => alive.forEach((child) => child.kill("SIGKILL")))
