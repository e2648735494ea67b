/**
 * A real browser without a window, for tests of pages: Debian's Chromium over the DevTools protocol on a pipe, so that
 * neither a port nor a package is needed.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Readable, Writable } from "node:stream"

/** How a page is looked at. */
export interface View {
  readonly width?: number
  readonly height?: number
  readonly scheme?: "light" | "dark"
}

/** What is there of an answer or an event of the protocol. */
interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: Record<string, unknown>
  readonly result?: Record<string, unknown>
  readonly error?: { readonly message: string }
}

/** A browser with one page. */
export class Browser {
  /** What the page complained of: exceptions, messages of its console, breaches of its policy. */
  readonly complaints: Array<string> = []
  /** Everything that the page asked for. */
  readonly requests: Array<string> = []
  readonly #child: ChildProcess
  readonly #input: Writable
  readonly #folder: string
  readonly #answers = new Map<number, (message: Message) => void>()
  readonly #listeners = new Set<(message: Message) => void>()
  #session: string | undefined
  #next = 1

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child
    this.#folder = folder
    // Chromium reads from descriptor 3 and writes to 4.
    this.#input = child.stdio[3] as Writable
    const output = child.stdio[4] as Readable
    let rest = ""
    output.setEncoding("utf8").on("data", (text: string) => {
      const messages = (rest + text).split("\0")
      rest = messages.pop() ?? ""
      for (const message of messages) this.#take(JSON.parse(message) as Message) // as the protocol says
    })
    this.#input.on("error", () => {}) // it has ended, of which its exit tells
  }

  static async start(): Promise<Browser> {
    const folder = mkdtempSync(join(tmpdir(), "anyport-browser-"))
    const child = spawn("chromium", [
      "--headless=new",
      // A container's root may not make the sandbox; the page is our own and asks for nothing.
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--hide-scrollbars",
      "--remote-debugging-pipe",
      `--user-data-dir=${folder}`,
      "about:blank",
    ], { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] })
    const failed = new Promise<never>((_, reject) => {
      child.once("error", (cause) => reject(new Error("Cannot start chromium, which .ci/run installs", { cause })))
      child.once("exit", (code) => reject(new Error(`chromium ended with ${code}`)))
    })
    failed.catch(() => {}) // also when it ends as it should
    const browser = new Browser(child, folder)
    await Promise.race([browser.#begin(), failed])
    return browser
  }

  async #begin(): Promise<void> {
    const { targetId } = await this.#send("Target.createTarget", { url: "about:blank" })
    const { sessionId } = await this.#send("Target.attachToTarget", { targetId, flatten: true })
    this.#session = String(sessionId)
    for (const domain of ["Page", "Runtime", "Log", "Network", "Audits"]) await this.#send(`${domain}.enable`)
  }

  /** Opens a page and resolves once it is loaded. */
  async open(url: string, { width = 1_280, height = 900, scheme = "light" }: View = {}): Promise<void> {
    this.complaints.length = 0
    this.requests.length = 0
    await this.#send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: width < 600 })
    await this.#send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] })
    const loaded = new Promise<void>((resolve) => {
      const listener = ({ method }: Message): void => {
        if (method !== "Page.loadEventFired") return
        this.#listeners.delete(listener)
        resolve()
      }
      this.#listeners.add(listener)
    })
    await this.#send("Page.navigate", { url })
    await loaded
  }

  /** The value of an expression in the page, as JSON. */
  async evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.#send("Runtime.evaluate", { expression, returnByValue: true })
    if (exceptionDetails !== undefined) throw new Error(`${expression} threw ${JSON.stringify(exceptionDetails)}`)
    return (result as { readonly value?: unknown }).value // as the protocol says
  }

  /** Puts the pointer there. */
  async point(x: number, y: number): Promise<void> {
    await this.#send("Input.dispatchMouseEvent", { type: "mouseMoved", x, y })
  }

  /** The whole page as PNG, or what of it is in the window. */
  async picture(whole = true): Promise<Uint8Array> {
    const { data } = await this.#send("Page.captureScreenshot", { format: "png", captureBeyondViewport: whole })
    return Buffer.from(String(data), "base64")
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, "exit")
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill("SIGTERM")
      await ended
    }
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  }

  async #send(method: string, params: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const id = this.#next++
    const answer = new Promise<Message>((resolve) => this.#answers.set(id, resolve))
    const session = this.#session === undefined ? {} : { sessionId: this.#session }
    this.#input.write(`${JSON.stringify({ id, method, params, ...session })}\0`)
    const { result, error } = await answer
    if (error !== undefined) throw new Error(`${method}: ${error.message}`)
    return result ?? {}
  }

  #take(message: Message): void {
    const { id, method, params } = message
    if (id !== undefined) {
      this.#answers.get(id)?.(message)
      this.#answers.delete(id)
    } else if (method === "Network.requestWillBeSent") {
      this.requests.push(String((params?.["request"] as { readonly url?: string }).url)) // as the protocol says
    } else if (complaining.has(method ?? "")) this.complaints.push(JSON.stringify(params))
    for (const listener of this.#listeners) listener(message)
  }
}

const complaining: ReadonlySet<string> = new Set([
  "Runtime.exceptionThrown",
  "Runtime.consoleAPICalled",
  "Log.entryAdded",
  "Audits.issueAdded",
])
