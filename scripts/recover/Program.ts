/** The real program, `anyport serve`, as a child process: started, asked what it logs, and killed. */
import { Child, type Runtime } from "../../test/conformance/wire/child.ts"

/** How the program is started. */
export interface Options {
  /** Default: any free one. */
  readonly port?: number
  /** Further flags of the command line. */
  readonly flags?: ReadonlyArray<string>
  /** Its limit of file descriptors. Default: that of this process. */
  readonly descriptors?: number
}

type Fields = Readonly<Record<string, unknown>>

/** A program that serves. */
export class Program {
  readonly port: number
  readonly #child: Child

  private constructor(child: Child, port: number) {
    this.#child = child
    this.port = port
  }

  /** Starts one and waits until it serves, with all workers if it has some. Rejects after 60 s. */
  static async start(runtime: Runtime, { port = 0, flags = [], descriptors }: Options = {}): Promise<Program> {
    const command = [
      ...descriptors === undefined ? [] : ["prlimit", `--nofile=${descriptors}:${descriptors}`],
      ...runtime === "deno" ? deno(flags.includes("--workers")) : [runtime],
      "cli/main.ts",
      "serve",
      "scripts/recover/service.ts",
      "--port",
      String(port),
      ...flags,
    ]
    const child = new Child(command)
    try {
      const { address } = await logged(child, "listening")
      if (flags.includes("--workers")) await logged(child, "workers ready")
      return new Program(child, Number(String(address).split(":").at(-1)))
    } catch (error) {
      await child.kill()
      throw error
    }
  }

  get pid(): number {
    return this.#child.pid
  }

  /** The process ids of its workers so far, in the order in which they were ready. */
  get workers(): ReadonlyArray<number> {
    return records(this.#child, "worker ready").map(({ pid }) => Number(pid))
  }

  /** Waits until it has logged a message so many times; returns the last one's fields. Rejects after 60 s. */
  logged(message: string, times: number): Promise<Fields> {
    return logged(this.#child, message, times)
  }

  signal(signal: "SIGKILL" | "SIGSTOP" | "SIGCONT" | "SIGUSR2"): void {
    this.#child.signal(signal)
  }

  /** Ends it for good and waits for that. Workers get 10 s to end by themselves, so that none is left. */
  async stop(): Promise<void> {
    if (this.workers.length > 0) {
      this.#child.signal("SIGTERM")
      await within(10_000, this.#child.ended, () => "the workers do not end").catch(() => {})
    }
    await this.#child.kill()
  }
}

const deno = (workers: boolean): ReadonlyArray<string> => [
  "deno",
  "run",
  "--no-prompt",
  "--quiet",
  "--allow-net=127.0.0.1",
  "--allow-read=.",
  ...workers ? ["--allow-env", "--allow-run=deno,cat"] : [],
]

const patience = 60_000

const logged = (child: Child, message: string, times = 1): Promise<Fields> => {
  const found = child.line("stderr", () => records(child, message)[times - 1])
  return within(patience, found, () => `no "${message}" in ${patience / 1_000} s; it wrote: ${child.stderr}`)
}

/** What a promise gives; rejects after so many milliseconds, saying why. */
export const within = <A>(millis: number, promise: Promise<A>, why: () => string): Promise<A> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(why())), millis)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })

const records = ({ stderr }: Child, message: string): ReadonlyArray<Fields> =>
  stderr.split("\n").filter((line) => line.startsWith("{") && line.endsWith("}")).map((line) => JSON.parse(line))
    .filter((record) => record.message === message)
