/**
 * One end of a connection under test: it drives a Transport, and as its Receiver checks what holds in every case.
 *
 * - What it sends and expects to receive is one endless pattern, so every byte is checked by its position.
 * - Memory that it lends is overwritten as soon as the call returns, and so is memory that is lent to it (clause 1).
 * - A call inside a call (clause 2) and an event out of order (clause 7) are violations.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { Receiver, Transport, TransportEnd } from "../../../core/Sockets.ts"
import { firstMismatch, patternAt } from "./pattern.ts"

/** A clause does not hold. */
export class Broken extends Data.TaggedError("Broken")<{ readonly message: string }> {}

/** One end of a connection under test. */
export class End implements Receiver {
  readonly transport: Transport
  received = 0
  chunks = 0
  sent = 0
  fins = 0
  writables = 0
  end: TransportEnd | undefined
  violation: string | undefined
  onBytes: (() => void) | undefined
  onFin: (() => void) | undefined
  readonly #waiting = new Set<() => void>()
  #goal = 0
  #size = 0
  #shutdownAfter = false
  #calling: string | undefined // the method that is being called
  #receiving: string | undefined // the event that is being received

  constructor(transport: Transport) {
    this.transport = transport
  }

  // ── Transport ──────────────────────────────────────────────────────────────────────────────────────────────────

  attach(): void {
    this.#call("attach", () => this.transport.attach(this))
  }

  pause(): void {
    this.#call("pause", () => this.transport.pause())
  }

  resume(): void {
    this.#call("resume", () => this.transport.resume())
  }

  shutdown(): void {
    this.#call("shutdown", () => this.transport.shutdown())
  }

  abort(): void {
    this.#call("abort", () => this.transport.abort())
  }

  /** Writes `bytes` once, of memory that is overwritten afterwards. */
  write(bytes: Uint8Array): number {
    const taken = this.#call("write", () => this.transport.write(bytes))
    bytes.fill(0x55)
    if (!(taken >= 0 && taken <= bytes.length)) this.#violate(`write of ${bytes.length} bytes took ${taken}`)
    if (this.transport.sending < 0 || this.transport.sending > 256 * 1024) {
      this.#violate(`${this.transport.sending} bytes are being sent, at most 256 KiB may be`)
    }
    return taken
  }

  /** Sends so many more bytes, in writes of `size`, as fast as they are taken. */
  send(bytes: number, size = 64 * 1024): void {
    this.#goal = this.sent + bytes
    this.#size = size
    this.#pump()
  }

  /** The same, and FIN behind it. */
  sendAll(bytes: number, size?: number): void {
    this.#shutdownAfter = true
    this.send(bytes, size)
  }

  get blocked(): boolean {
    return this.sent < this.#goal
  }

  #pump(): void {
    while (this.sent < this.#goal) {
      const bytes = patternAt(this.sent, Math.min(this.#size, this.#goal - this.sent))
      const taken = this.write(bytes)
      this.sent += taken
      if (taken < bytes.length) return
    }
    if (!this.#shutdownAfter) return
    this.#shutdownAfter = false
    this.shutdown()
  }

  #call<A>(method: string, body: () => A): A {
    const outer = this.#calling
    this.#calling = method
    try {
      return body()
    } catch (error) {
      this.#violate(`${method} threw ${String(error)}`)
      throw error
    } finally {
      this.#calling = outer
    }
  }

  // ── Receiver ───────────────────────────────────────────────────────────────────────────────────────────────────

  bytes(chunk: Uint8Array): void {
    this.#receive("bytes", () => {
      if (this.fins > 0) this.#violate("bytes after fin")
      if (chunk.length === 0) this.#violate("an empty chunk")
      const wrong = firstMismatch(chunk, this.received)
      if (wrong >= 0) this.#violate(`byte ${this.received + wrong} is ${chunk[wrong]}, sent was another`)
      this.received += chunk.length
      this.chunks++
      this.onBytes?.()
    })
    chunk.fill(0xaa)
  }

  writable(): void {
    this.#receive("writable", () => {
      this.writables++
      this.#pump()
    })
  }

  fin(): void {
    this.#receive("fin", () => {
      this.fins++
      if (this.fins > 1) this.#violate("fin twice")
      this.onFin?.()
    })
  }

  closed(end: TransportEnd): void {
    this.#receive("closed", () => this.end = end)
  }

  #receive(event: string, body: () => void): void {
    if (this.#calling !== undefined) this.#violate(`${event} inside ${this.#calling}()`)
    if (this.#receiving !== undefined) this.#violate(`${event} inside ${this.#receiving}`)
    if (this.end !== undefined) this.#violate(`${event} after closed`)
    this.#receiving = event
    body()
    this.#receiving = undefined
    for (const check of [...this.#waiting]) check()
  }

  #violate(what: string): void {
    this.violation ??= what
  }

  // ── Waiting ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Waits until the condition holds, which is looked at after each event. Fails on a violation. */
  until(what: string, holds: (end: End) => boolean): Effect.Effect<void, Broken> {
    return Effect.callback<void, Broken>((resume) => {
      const check = () => {
        if (this.violation !== undefined) resume(Effect.fail(new Broken({ message: this.violation })))
        else if (holds(this)) resume(Effect.void)
        else if (this.end !== undefined) resume(Effect.fail(new Broken({ message: `${this.#state}, wanted ${what}` })))
        else return
        this.#waiting.delete(check)
      }
      this.#waiting.add(check)
      check()
      return Effect.sync(() => {
        this.#waiting.delete(check)
      })
    })
  }

  /** Waits for the end, which has to be the given one. */
  untilClosed(tag: TransportEnd["_tag"]): Effect.Effect<void, Broken> {
    return this.until(`closed(${tag})`, (end) => end.end?._tag === tag)
  }

  /** Waits until so many bytes have been received in all. */
  untilReceived(bytes: number): Effect.Effect<void, Broken> {
    return this.until(`${bytes} bytes`, (end) => end.received >= bytes)
  }

  get #state(): string {
    return `received ${this.received} bytes, ${this.fins} fin, closed(${this.end?._tag})`
  }
}
