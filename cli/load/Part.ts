/**
 * One of several processes that make a load together: what it and the process that started it say to each other over their
 * channel, and its own side of it.
 *
 * Nothing is sent before every process is connected, so that all begin together. A signal of the terminal reaches each of
 * them, and only the first process heeds it; it tells the others.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import process from "node:process"
import type { Sockets } from "../../core/Sockets.ts"
import { encode } from "../../load/Result.ts"
import { type Ask, atRate } from "./Ask.ts"
import * as Local from "./Local.ts"
import * as Second from "./Second.ts"

/** What a part says. */
export type Report =
  | { readonly _tag: "Connected"; readonly count: number }
  | { readonly _tag: "Second"; readonly second: Second.Encoded }
  /** The text of a result. */
  | { readonly _tag: "Done"; readonly result: string }

/** What it is told. */
export type Order =
  /** Connect; `rate` is that of all parts. In milliseconds. */
  | { readonly _tag: "Run"; readonly at?: { readonly rate: number; readonly duration: number } }
  | { readonly _tag: "Start" }
  | { readonly _tag: "Stop" }
  /** Everything that it has said was heard. */
  | { readonly _tag: "End" }

/** One part of how many, counted from 0; undefined for what is none. As a command line has it: `2/4`, counted from 1. */
export const parse = (text: string): { readonly index: number; readonly of: number } | undefined => {
  const [, number, of] = /^(\d{1,3})\/(\d{1,3})$/.exec(text) ?? []
  const index = Number(number) - 1
  return index >= 0 && index < Number(of) ? { index, of: Number(of) } : undefined
}

/** What `parse` reads. */
export const format = (index: number, of: number): string => `${index + 1}/${of}`

/** Does as it is told, until it is told to end. */
export const serve = Effect.fnUntraced(function* (
  share: (ask: Ask) => Ask,
  ask: Ask,
): Effect.fn.Return<void, never, Sockets> {
  heed()
  const mailbox = new Mailbox()
  process.on("message", (message) => mailbox.put(message as Order)) // of whoever started it as a part
  for (;;) {
    const order = yield* mailbox.take
    if (order._tag === "End") return
    if (order._tag !== "Run") continue
    const { at } = order
    const started = Deferred.makeUnsafe<void>()
    const stopped = Deferred.makeUnsafe<void>()
    mailbox.divert({ Start: started, Stop: stopped })
    const result = yield* Local.run(share(at === undefined ? ask : atRate(ask, at.rate, at.duration)), {
      ready: (count) =>
        Effect.suspend(() => {
          send({ _tag: "Connected", count })
          return Deferred.await(started)
        }),
      second: (second) => send({ _tag: "Second", second: Second.encode(second) }),
      stop: Deferred.await(stopped),
    })
    send({ _tag: "Done", result: encode(result) })
  }
})

/** Orders that wait to be read; those of a run that is going on are heard at once. */
class Mailbox {
  readonly #waiting: Array<Order> = []
  #reader: ((order: Effect.Effect<Order>) => void) | undefined
  #diverted: { readonly [tag: string]: Deferred.Deferred<void> } = {}

  put(order: Order): void {
    const diverted = this.#diverted[order._tag]
    if (diverted !== undefined) return void Deferred.doneUnsafe(diverted, Exit.void)
    const reader = this.#reader
    this.#reader = undefined
    if (reader === undefined) this.#waiting.push(order)
    else reader(Effect.succeed(order))
  }

  divert(to: { readonly [tag: string]: Deferred.Deferred<void> }): void {
    this.#diverted = to
  }

  readonly take: Effect.Effect<Order> = Effect.callback((resume) => {
    const order = this.#waiting.shift()
    if (order === undefined) this.#reader = resume
    else resume(Effect.succeed(order))
  })
}

const send = (report: Report): void => void process.send?.(report, undefined, undefined, () => {})

const parent = process.ppid
const lookMillis = 1_000

/** Ignores signals, and ends with whoever started it: Deno does not always say that the channel is closed. */
const heed = (): void => {
  process.on("SIGINT", () => {})
  process.on("SIGTERM", () => {})
  const leave = (): never => process.exit(1)
  process.on("disconnect", leave)
  if (!process.connected) leave()
  setInterval(() => {
    if (!process.connected || process.ppid !== parent) leave()
  }, lookMillis).unref()
}
