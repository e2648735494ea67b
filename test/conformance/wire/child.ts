/** A program as a child process: what it writes, line by line, how it ends, and that it does not outlive the tests. */
import { type ChildProcess, spawn } from "node:child_process"
import process from "node:process"
import { root, type Runtime, runtimes } from "../../../scripts/child.ts"

export { root, type Runtime, runtimes }

/** How a program ended, and all that it wrote. */
export interface End {
  /** The exit code, or the signal that killed it. */
  readonly code: number | string
  readonly stdout: string
  readonly stderr: string
}

/** A running program. */
export class Child {
  readonly ended: Promise<End>
  stdout = ""
  stderr = ""
  readonly #process: ChildProcess
  #changed: Array<() => void> = []
  #over = false

  constructor(command: ReadonlyArray<string>, options: { readonly cwd?: string } = {}) {
    const child = spawn(command[0]!, command.slice(1), { cwd: options.cwd ?? root, stdio: "pipe" })
    this.#process = child
    alive.add(child)
    child.stdin.on("error", () => {})
    child.stdout.setEncoding("utf8").on("data", (text: string) => this.#wrote("stdout", text))
    child.stderr.setEncoding("utf8").on("data", (text: string) => this.#wrote("stderr", text))
    this.ended = new Promise((resolve, reject) => {
      child.on("error", reject)
      child.on("close", (code, signal) => {
        alive.delete(child)
        this.#over = true
        this.#change()
        resolve({ code: code ?? signal ?? "unknown", stdout: this.stdout, stderr: this.stderr })
      })
    })
  }

  get pid(): number {
    return this.#process.pid!
  }

  /** The first line that `pick` finds something in. Rejects when the program ends without one. */
  async line<A>(stream: "stdout" | "stderr", pick: (line: string) => A | undefined): Promise<A> {
    for (;;) {
      for (const line of this[stream].split("\n").slice(0, -1)) {
        const found = pick(line)
        if (found !== undefined) return found
      }
      if (this.#over) throw new Error(`It ended without the line; it wrote: ${this.stdout}${this.stderr}`)
      await new Promise<void>((resolve) => this.#changed.push(resolve))
    }
  }

  /** Writes to its standard input. */
  write(text: string): void {
    this.#process.stdin!.write(text) // a pipe, as it was asked for
  }

  /** Sends it a signal. */
  signal(signal: "SIGTERM" | "SIGINT" | "SIGKILL" | "SIGSTOP" | "SIGCONT" | "SIGUSR2"): void {
    this.#process.kill(signal)
  }

  /** Ends it for good. */
  async kill(): Promise<void> {
    this.signal("SIGKILL")
    await this.ended
  }

  #wrote(stream: "stdout" | "stderr", text: string): void {
    this[stream] += text
    this.#change()
  }

  #change(): void {
    const changed = this.#changed
    this.#changed = []
    for (const resolve of changed) resolve()
  }
}

const alive = new Set<ChildProcess>()
process.on("exit", () => alive.forEach((child) => child.kill("SIGKILL")))

/** Ends all programs that are left. */
export const killAll = async (): Promise<void> => {
  const ends = [...alive].map((child) => new Promise<void>((resolve) => child.on("close", () => resolve())))
  alive.forEach((child) => child.kill("SIGKILL"))
  await Promise.all(ends)
}
