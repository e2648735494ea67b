/**
 * A Sockets whose clients come from anywhere and to any of its listeners, for tests of the way in. As an adapter's, a
 * transport holds what comes until somebody attaches, shows neither FIN nor RST while it is paused, and reports an end
 * that came before. A paused listener has a backlog. No network, no time of its own.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import * as Address from "../../core/Address.ts"
import * as Lines from "../../core/codecs/Lines.ts"
import type { Event } from "../../core/Event.ts"
import * as Server from "../../core/Server.ts"
import * as Service from "../../core/Service.ts"
import { type Listener, type Receiver, Sockets, type Transport, type TransportEnd } from "../../core/Sockets.ts"
import { turns } from "./harness.ts"

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** The other end of one connection. */
export class Visitor {
  /** Bytes that the "kernel" takes before `write` takes no more. */
  room = Infinity
  readonly writes: Array<string> = []
  readonly calls: Array<string> = []
  attached = false
  paused = false
  gotFin = false
  /** How the transport ended, once it has said so. */
  ended: TransportEnd["_tag"] | undefined
  #receiver: Receiver | undefined
  #chunks: Array<Uint8Array> = []
  #fin = false
  #finSeen = false
  #reset = false

  readonly transport: Transport

  constructor(remoteAddress: Address.Address | undefined, localAddress: Address.Address) {
    this.transport = {
      remoteAddress,
      localAddress,
      sending: 0,
      attach: (receiver) => {
        if (this.attached) throw new Error("attached twice")
        this.attached = true
        this.#receiver = receiver
        queueMicrotask(() => this.#deliver())
      },
      write: (bytes) => {
        if (this.ended !== undefined || this.gotFin || this.calls.includes("abort")) return 0
        const taken = Math.min(bytes.length, this.room)
        this.room -= taken
        if (taken > 0) this.writes.push(decoder.decode(bytes.subarray(0, taken)))
        return taken
      },
      pause: () => {
        this.calls.push("pause")
        this.paused = true
      },
      resume: () => {
        this.calls.push("resume")
        this.paused = false
        queueMicrotask(() => this.#deliver())
      },
      shutdown: () => {
        this.calls.push("shutdown")
        this.gotFin = true
        if (this.#finSeen) queueMicrotask(() => this.#end({ _tag: "Finished" }))
      },
      abort: () => {
        this.calls.push("abort")
        queueMicrotask(() => this.#end({ _tag: "Aborted" }))
      },
    }
  }

  get received(): string {
    return this.writes.join("")
  }

  /** Whether the server has begun to end it. */
  get sentAway(): boolean {
    return this.gotFin || this.calls.includes("abort")
  }

  send(data: string | Uint8Array): void {
    this.#chunks.push(typeof data === "string" ? encoder.encode(data) : data.slice())
    this.#deliver()
  }

  fin(): void {
    this.#fin = true
    this.#deliver()
  }

  reset(): void {
    this.#reset = true
    this.#deliver()
  }

  /** The kernel has room again. */
  drain(): void {
    this.room = Infinity
    this.#receiver!.writable()
  }

  #deliver(): void {
    while (this.#receiver !== undefined && !this.paused && this.ended === undefined) {
      if (this.#reset) return this.#end({ _tag: "Reset" })
      const chunk = this.#chunks.shift()
      if (chunk !== undefined) {
        this.#receiver.bytes(chunk)
        chunk.fill(0xaa) // as a runtime that uses its memory again
      } else if (this.#fin && !this.#finSeen) {
        this.#finSeen = true
        this.#receiver.fin()
        if (this.gotFin) queueMicrotask(() => this.#end({ _tag: "Finished" }))
      } else return
    }
  }

  // Whoever has not attached is told later.
  #end(end: TransportEnd): void {
    if (this.ended !== undefined) return
    if (this.#receiver === undefined && end._tag !== "Aborted") return
    this.ended = end._tag
    this.#receiver?.closed(end)
  }
}

/** A listener that visitors come to. */
export class Entry implements Listener {
  readonly calls: Array<"pause" | "resume"> = []
  readonly backlog: Array<Visitor> = []
  state: "Accepting" | "Paused" | "Closed" = "Accepting"
  readonly resume: Effect.Effect<void>
  readonly close: Effect.Effect<void>
  readonly address: Address.Address
  readonly #accept: (transport: Transport) => void

  constructor(address: Address.Address, accept: (transport: Transport) => void) {
    this.address = address
    this.#accept = accept
    this.resume = Effect.sync(() => {
      this.calls.push("resume")
      if (this.state !== "Paused") return
      this.state = "Accepting"
      for (const visitor of this.backlog.splice(0)) this.take(visitor)
    })
    this.close = Effect.sync(() => {
      this.state = "Closed"
      this.backlog.length = 0
    })
  }

  pause(): void {
    this.calls.push("pause")
    if (this.state === "Accepting") this.state = "Paused"
  }

  take(visitor: Visitor): void {
    if (this.state === "Paused") this.backlog.push(visitor)
    else if (this.state === "Accepting") this.#accept(visitor.transport)
  }

  /** Was accepted before the listener was paused, and is told of only now. */
  straggle(visitor: Visitor): void {
    this.#accept(visitor.transport)
  }
}

/** From where, and to which listener, somebody comes. */
export interface Visit {
  /** A host, or a whole address; null for one who has none. */
  readonly from?: string | Address.Address | null
  readonly to?: string
}

/** A network of visitors. */
export class Town {
  readonly entries = new Map<string, Entry>()
  readonly layer: Layer.Layer<Sockets>
  #port = 40_000

  constructor(stopAccepting: "backlog" | "unbind" = "backlog") {
    this.layer = Layer.succeed(
      Sockets,
      Sockets.of({
        capabilities: {
          runtime: "script",
          reset: true,
          reusePort: false,
          stopAccepting,
          adoptDescriptor: false,
          abstractUnix: false,
          bindSource: false,
        },
        listen: ({ address }, accept) =>
          Effect.acquireRelease(
            Effect.sync((): Listener => {
              const entry = new Entry(address, accept)
              this.entries.set(Address.format(address), entry)
              return entry
            }),
            (listener) => listener.close,
          ),
        connect: () => Effect.die("visitors only come"),
      }),
    )
  }

  /** The listener at an address, or the first. */
  entry(address?: string): Entry {
    return (address === undefined ? this.entries.values().next().value : this.entries.get(address))!
  }

  /** Somebody who has not come yet. */
  visitor({ from = "192.0.2.1", to }: Visit = {}): Visitor {
    const remote = from === null ? undefined : typeof from === "string" ? Address.fromPeer(from, this.#port++) : from
    return new Visitor(remote, this.entry(to).address)
  }

  /** Somebody comes, and waits in the backlog where the listener is paused. */
  come(visit: Visit = {}): Visitor {
    const visitor = this.visitor(visit)
    this.entry(visit.to).take(visitor)
    return visitor
  }
}

/** Answers each line with itself. */
export const echo = Service.respond(Lines.make({ maxLength: 65_536 }), (line) => Effect.succeed(line))

/** A server in a town, with the events it emitted. One listener of {@link echo} unless the options have others. */
export const open = Effect.fnUntraced(function* (
  { listeners = [{ address: "127.0.0.1:9000", service: echo }], ...options }:
    & Omit<Server.Options, "listeners" | "observers">
    & { readonly listeners?: ReadonlyArray<Server.Endpoint> } = {},
  stopAccepting?: "backlog" | "unbind",
) {
  const town = new Town(stopAccepting)
  const events: Array<Event> = []
  const observers = [(event: Event) => void events.push(event)]
  const server = yield* Effect.provide(Server.make({ ...options, listeners, observers }), town.layer)
  // A test that ends with open connections does not wait for them: nobody moves its clock any more.
  yield* Effect.addFinalizer(() => Effect.sync(() => server.abort()))
  const of = <Tag extends Event["_tag"]>(tag: Tag): Array<Extract<Event, { _tag: Tag }>> =>
    events.filter((event): event is Extract<Event, { _tag: Tag }> => event._tag === tag)
  return { town, server, events, of, limits: () => of("Refused").map(({ limit }) => limit) }
})

/** Lets time pass, in steps in which the loop turns. */
export const pass = Effect.fnUntraced(function* (millis: number) {
  yield* turns
  for (let left = millis; left > 0; left -= 250) yield* TestClock.adjust(Math.min(250, left))
  yield* turns
})
