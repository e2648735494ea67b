/**
 * The port over `Deno.listen` and `Deno.connect`.
 *
 * How it differs from its siblings:
 *
 * - `write` copies one piece of at most 64 KiB, which one loop of `conn.write` hands over: writes take a part, two at a
 *   time interleave, and memory that is overwritten meanwhile arrives corrupted.
 * - Reading is one `conn.read` at a time, with 2 KiB of the connection's own; behind a read that took as much, with 64 or
 *   16 KiB from a pool, as long as reads take more than the 2 KiB and few others do so. Not `conn.readable`: that closes the
 *   whole connection at the peer's FIN (https://github.com/denoland/deno/issues/27510).
 * - There is no RST: `abort` closes. Closing rejects what is pending with `Interrupted`, and closing twice throws
 *   (https://github.com/denoland/deno/pull/36369).
 * - Only one `accept` may be pending, which cannot be taken back: a client that comes while the listener is paused is
 *   kept for `resume`, the others wait in the backlog.
 * - Out of descriptors, `accept` rejects again and again (https://github.com/denoland/deno/issues/10148): it is retried
 *   after 10 ms, doubling up to 1 s, and reported.
 * - NODELAY is off by default, and is set like keep-alive once there is a connection. Unix sockets have neither.
 * - A descriptor cannot be taken over: `Deno.listen` ignores it, and listens somewhere else
 *   (https://github.com/denoland/deno/issues/14006). It is refused.
 * - `reusePort` without `--unstable-net` ends the process, beyond any `catch`: it is refused before.
 * - A link-local address is bound and reached with its zone (`fe80::1%eth0`), and named without it.
 * - What the process has no permission for is `PermissionDenied`, which names the flags. Deno itself would stop and ask
 *   on the terminal, which looks like a hang; so it is asked first what is granted, which never prompts.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { resolve as absolute } from "node:path"
import * as Address from "../core/Address.ts"
import {
  type Capabilities,
  type ConnectError,
  type ConnectOptions,
  type Listener,
  ListenError,
  type ListenOptions,
  type Receiver,
  Sockets,
  type Transport,
  type TransportEnd,
} from "../core/Sockets.ts"
import { enforce, floors } from "./Floor.ts"
import { codeOf, connectError, listenError, noSource, transportEnd } from "./SystemError.ts"
import { takeOver } from "./UnixPath.ts"

const capabilities: Capabilities = {
  runtime: `deno ${Deno.version.deno}`,
  reset: false,
  // Datagrams are behind the same `--unstable-net`, which cannot be asked for otherwise.
  reusePort: Deno.build.os === "linux" && Deno.listenDatagram !== undefined,
  stopAccepting: "backlog",
  adoptDescriptor: false,
  abstractUnix: Deno.build.os === "linux",
  bindSource: false,
}

// ── Transport ──────────────────────────────────────────────────────────────────────────────────────────────────────

const aborted: TransportEnd = { _tag: "Aborted" }
const finished: TransportEnd = { _tag: "Finished" }

/** A client that had reset its connection before it could be asked who it was: Deno's `accept` fails then (ENOTCONN). */
class GoneTransport implements Transport {
  readonly localAddress: Address.Address
  readonly remoteAddress = undefined
  readonly sending = 0

  constructor(local: Address.Address) {
    this.localAddress = local
  }

  attach(receiver: Receiver): void {
    queueMicrotask(() => receiver.closed({ _tag: "Reset" }))
  }

  write(): number {
    return 0
  }

  pause(): void {}
  resume(): void {}
  shutdown(): void {}
  abort(): void {}
}

class DenoTransport implements Transport {
  readonly localAddress: Address.Address | undefined
  readonly remoteAddress: Address.Address | undefined
  sending = 0
  readonly #conn: Conn
  #receiver: Receiver | undefined
  #end: TransportEnd | undefined
  #paused = false
  #reading = false
  #own: Uint8Array | undefined // what it reads with while calm
  #piece: Uint8Array | undefined // what is being sent, up to `#sent` of it is
  #sent = 0
  #onSent: ((count: number) => void) | undefined
  #onFailed: ((cause: unknown) => void) | undefined
  #wanted = false // a write took less than it was given
  #fin = false
  #shut: "No" | "Asked" | "Done" = "No"

  constructor(conn: Conn, local: Address.Address | undefined, remote: Address.Address | undefined) {
    this.#conn = conn
    this.localAddress = local
    this.remoteAddress = remote
    try {
      conn.setNoDelay?.(true)
      conn.setKeepAlive?.(true)
    } catch {
      // Gone already: reading will say how.
    }
  }

  attach(receiver: Receiver): void {
    this.#receiver = receiver
    if (this.#end !== undefined) this.#reportLater()
    else this.#read()
  }

  write(bytes: Uint8Array): number {
    if (this.#shut !== "No" || this.#end !== undefined) return 0
    if (this.sending > 0) {
      if (bytes.length > 0) this.#wanted = true
      return 0
    }
    const taken = Math.min(bytes.length, busySize)
    if (taken < bytes.length) this.#wanted = true
    if (taken > 0) this.#send(taken === bytes.length ? bytes : bytes.subarray(0, taken))
    return taken
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#read()
  }

  shutdown(): void {
    if (this.#shut !== "No" || this.#end !== undefined) return
    this.#shut = "Asked"
    if (this.sending === 0) this.#sendFin()
  }

  abort(): void {
    this.#finish(aborted)
  }

  async #read(): Promise<void> {
    const receiver = this.#receiver
    if (this.#reading || receiver === undefined) return
    this.#reading = true
    const own = this.#own ??= new Uint8Array(calmSize)
    let buffer = own
    while (!this.#paused && !this.#fin && this.#end === undefined) {
      let count: number | null
      try {
        count = await this.#conn.read(buffer)
      } catch (cause) {
        this.#finish(transportEnd(cause))
        break
      }
      if (this.#end !== undefined) break
      if (count === null) {
        this.#fin = true
        receiver.fin()
        this.#finishIfBothHave()
        break
      }
      receiver.bytes(count === buffer.length ? buffer : buffer.subarray(0, count))
      if (buffer === own) {
        if (count === calmSize) buffer = larger.take()
      } else if (count < calmSize || (count < buffer.length && larger.scarce)) {
        larger.giveBack(buffer)
        buffer = own
      }
    }
    if (buffer !== own) larger.giveBack(buffer)
    this.#reading = false
  }

  #send(lent: Uint8Array): void {
    this.#piece = (lent.length > calmSize ? busy : calm).take()
    this.#piece.set(lent)
    this.#sent = 0
    this.sending = lent.length
    this.#sendRest()
  }

  // Not a loop with `await`: that costs a twentieth of all CPU time of an echo.
  #sendRest(): void {
    this.#onSent ??= (count) => this.#afterSend(count)
    this.#onFailed ??= (cause) => this.#finish(transportEnd(cause))
    this.#conn.write(this.#piece!.subarray(this.#sent, this.#sent + this.sending)).then(this.#onSent, this.#onFailed)
  }

  #afterSend(count: number): void {
    if (this.#end !== undefined) return
    this.#sent += count
    this.sending -= count
    if (this.sending > 0) return this.#sendRest()
    const piece = this.#piece!
    this.#piece = undefined
    if (piece.length === calmSize) calm.giveBack(piece)
    else busy.giveBack(piece)
    if (this.#shut === "Asked") this.#sendFin()
    else if (this.#wanted) {
      this.#wanted = false
      this.#receiver?.writable()
    }
  }

  async #sendFin(): Promise<void> {
    try {
      await this.#conn.closeWrite()
    } catch (cause) {
      return this.#finish(transportEnd(cause))
    }
    this.#shut = "Done"
    this.#finishIfBothHave()
  }

  #finishIfBothHave(): void {
    if (this.#fin && this.#shut === "Done") this.#finish(finished)
  }

  #finish(end: TransportEnd): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.sending = 0
    this.#conn.close()
    this.#reportLater()
  }

  #reportLater(): void {
    queueMicrotask(() => {
      const receiver = this.#receiver
      this.#receiver = undefined
      receiver?.closed(this.#end!)
    })
  }
}

const calmSize = 2 * 1024
const busySize = 64 * 1024

/** Buffers of one size, for calls in flight. On Deno a new one costs ten times as much as copying into it. */
class Pool {
  /** How many were taken and not given back. */
  lent = 0
  readonly #size: number
  readonly #most: number
  readonly #free: Array<Uint8Array> = []

  /** Of `size` bytes each; `most` of them are kept. */
  constructor(size: number, most: number) {
    this.#size = size
    this.#most = most
  }

  take(): Uint8Array {
    this.lent++
    return this.#free.pop() ?? new Uint8Array(this.#size)
  }

  giveBack(buffer: Uint8Array): void {
    this.lent--
    if (this.#free.length < this.#most) this.#free.push(buffer)
  }
}

const calm = new Pool(calmSize, 1_024)
const busy = new Pool(busySize, 256)

/**
 * What is read with while much comes: 64 KiB each for a few, 16 KiB each for more, and 16 MiB of both. While it is not
 * scarce, a connection waits with one for more: so it need not read twice, and answer twice, what comes together. Apart from
 * the pools for writing, whose buffers are not given back where a connection ends in the middle.
 */
class Larger {
  readonly #few = new Pool(busySize, mostLent / busySize)
  readonly #more = new Pool(someSize, mostLent / someSize)

  get scarce(): boolean {
    return this.#more.lent > mostLent / someSize
  }

  take(): Uint8Array {
    return (this.#few.lent < mostLent / busySize ? this.#few : this.#more).take()
  }

  giveBack(buffer: Uint8Array): void {
    if (buffer.length === busySize) this.#few.giveBack(buffer)
    else this.#more.giveBack(buffer)
  }
}

const someSize = 16 * 1024
const mostLent = 16 * 1024 * 1024
const larger = new Larger()

// ── Listener ───────────────────────────────────────────────────────────────────────────────────────────────────────

class DenoListener implements Listener {
  readonly address: Address.Address
  readonly resume: Effect.Effect<void>
  readonly close: Effect.Effect<void>
  readonly #server: Server
  readonly #loop: Promise<void>
  #state: "Accepting" | "Paused" | "Closed" = "Accepting"
  #arrived = 0
  #proceed: (() => void) | undefined // of the loop, while it waits to go on

  constructor(server: Server, options: ListenOptions, accept: (transport: Transport) => void) {
    this.#server = server
    this.address = boundAddress(server, options)
    this.#loop = this.#run(options, accept)
    this.resume = Effect.sync(() => {
      if (this.#state === "Paused") this.#goOn("Accepting")
    })
    // The port is free once the pending `accept` has been rejected.
    this.close = Effect.promise(async () => {
      if (this.#state === "Accepting") await this.#lull()
      if (this.#state !== "Closed") {
        this.#goOn("Closed")
        this.#server.close()
      }
      return this.#loop
    })
  }

  pause(): void {
    if (this.#state === "Accepting") this.#state = "Paused"
  }

  /**
   * Waits until nobody came in two turns of the loop, at most half a second: one is accepted a turn, and the system resets
   * whoever is in the backlog of a socket that is closed.
   */
  async #lull(): Promise<void> {
    const latest = performance.now() + longestLull
    for (let quiet = 0; quiet < 2 && performance.now() < latest; quiet++) {
      const before = this.#arrived
      await new Promise((resolve) => setTimeout(resolve, 0))
      if (this.#arrived > before) quiet = -1
    }
  }

  /** The one loop that accepts, until the listener is closed. */
  async #run(options: ListenOptions, accept: (transport: Transport) => void): Promise<void> {
    const unix = options.address._tag === "Unix" ? options.address : undefined
    let delay = firstRetry
    while (!this.#isClosed()) {
      let conn: Conn | undefined
      try {
        conn = await this.#server.accept()
        delay = firstRetry
        this.#arrived++
      } catch (cause) {
        if (this.#isClosed()) return
        const code = codeOf(cause)
        // The client's affair alone: no reason to let the next one wait.
        if (code === "ENOTCONN") accept(new GoneTransport(unix ?? this.address))
        else options.acceptFailed?.({ code, cause })
        if (code === "ENOTCONN" || code === "ECONNABORTED") continue
        await this.#wait(delay)
        delay = Math.min(2 * delay, lastRetry)
        continue
      }
      if (this.#state === "Paused") {
        await this.#wait()
        if (this.#isClosed()) {
          conn.close()
          return
        }
      }
      // Also whom the system had let in when the listener was closed.
      accept(new DenoTransport(conn, unix ?? addressOf(conn.localAddr), addressOf(conn.remoteAddr)))
    }
  }

  // A method, because it may have become so during any `await`.
  #isClosed(): boolean {
    return this.#state === "Closed"
  }

  /** Waits until the listener is resumed or closed, or for `delay` milliseconds. */
  #wait(delay?: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = delay === undefined ? undefined : setTimeout(resolve, delay)
      this.#proceed = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  #goOn(state: "Accepting" | "Closed"): void {
    this.#state = state
    this.#proceed?.()
    this.#proceed = undefined
  }
}

const firstRetry = 10
const lastRetry = 500
const longestLull = 500

const listen = (options: ListenOptions, accept: (transport: Transport) => void) => {
  const { address } = options
  return Effect.acquireRelease(
    Effect.map(
      takeOver(address, bindServer(options), Effect.scoped(Effect.asVoid(connect({ address })))),
      (server): Listener => new DenoListener(server, options, accept),
    ),
    (listener) => listener.close,
  )
}

const bindServer = (options: ListenOptions): Effect.Effect<Server, ListenError> =>
  Effect.suspend(() => {
    const { address, descriptor } = options
    if (descriptor !== undefined) {
      const cause = new Error(
        "Deno cannot take over a listening socket: serve by Node or Bun, or disable the .socket unit",
      )
      return Effect.fail(new ListenError({ problem: "Unsupported", address: `descriptor ${descriptor}`, cause }))
    }
    const reusePort = options.reusePort ?? false
    if (reusePort && !capabilities.reusePort) {
      const cause = new Error("reusePort on Deno wants Linux and --unstable-net")
      return Effect.fail(new ListenError({ problem: "Unsupported", address, cause }))
    }
    try {
      ask(address)
      return Effect.succeed(Deno.listen({ ...endpoint(address), tcpBacklog: 511, ...(reusePort ? { reusePort } : {}) }))
    } catch (cause) {
      return Effect.fail(listenError(address, cause))
    }
  })

const boundAddress = (server: Server, options: ListenOptions): Address.Address =>
  options.address._tag === "Tcp" && server.addr.transport === "tcp"
    ? Address.tcp(options.address.host, server.addr.port)
    : options.address

// ── Connect ────────────────────────────────────────────────────────────────────────────────────────────────────────

const connect = (options: ConnectOptions) =>
  Effect.acquireRelease(
    options.source === undefined ? open(options.address) : Effect.fail(noSource(options.address, options.source)),
    (transport) => Effect.sync(() => transport.abort()),
    { interruptible: true },
  )

const open = (address: Address.Address): Effect.Effect<Transport, ConnectError> =>
  Effect.callback<Transport, ConnectError>((resume, signal) => {
    const connected = (conn: Conn) => {
      if (signal.aborted) return conn.close()
      const remote = address._tag === "Unix" ? address : addressOf(conn.remoteAddr)
      resume(Effect.succeed(new DenoTransport(conn, addressOf(conn.localAddr), remote)))
    }
    // `async`: what it refuses at once it throws, what the system refuses it rejects.
    const attempt = async () => {
      ask(address)
      connected(await Deno.connect({ ...endpoint(address), signal }))
    }
    attempt().catch((cause) => resume(Effect.fail(connectError(address, cause))))
  })

// ── Permissions ────────────────────────────────────────────────────────────────────────────────────────────────────

/** Throws `NotCapable` with the flags that are missing for an address, and what Deno throws for one that is none. */
const ask = (address: Address.Address): void => {
  const states = wanted(address).map(({ query, flag }) => ({ flag, state: Deno.permissions.querySync(query).state }))
  const missing = states.filter(({ state }) => state !== "granted")
  if (missing.length === 0) return
  const flags = missing.map(({ flag }) => flag).join(" ")
  const denied = missing.some(({ state }) => state === "denied") ? ", and nothing that denies it" : ""
  throw Object.assign(new Error(`Deno wants ${flags}${denied}`), { name: "NotCapable" })
}

const wanted = (address: Address.Address): ReadonlyArray<{ readonly query: Permission; readonly flag: string }> => {
  if (address._tag === "Tcp") {
    const host = Address.format(address)
    return [{ query: { name: "net", host }, flag: `--allow-net=${host}` }]
  }
  // No flag can name what begins with NUL, but one that names nothing allows it as well.
  if (address.path.startsWith("\0")) return [{ query: { name: "net" }, flag: "--allow-net" }]
  const path = absolute(address.path)
  return [
    { query: { name: "read", path }, flag: `--allow-read=${path}` },
    { query: { name: "write", path }, flag: `--allow-write=${path}` },
    { query: { name: "net", host: `unix:${path}` }, flag: `--allow-net=unix:${path}` },
  ]
}

// ── Addresses ──────────────────────────────────────────────────────────────────────────────────────────────────────

const endpoint = (address: Address.Address): Endpoint =>
  address._tag === "Unix"
    ? { transport: "unix", path: address.path }
    : { transport: "tcp", hostname: address.host, port: address.port }

const addressOf = (addr: Addr): Address.Address | undefined =>
  addr.transport === "tcp" ? Address.fromPeer(addr.hostname, addr.port) : undefined

/** The sockets of Deno. */
export const layer: Layer.Layer<Sockets> = Layer.succeed(
  Sockets,
  enforce(floors.deno, Deno.version.deno, { capabilities, listen, connect }),
)

// ── The runtime's types, as far as they are used ───────────────────────────────────────────────────────────────────

type Addr =
  | { readonly transport: "tcp"; readonly hostname: string; readonly port: number }
  | { readonly transport: "unix"; readonly path: string | null }

interface Conn {
  readonly localAddr: Addr
  readonly remoteAddr: Addr
  setNoDelay?(on: boolean): void
  setKeepAlive?(on: boolean): void
  read(buffer: Uint8Array): Promise<number | null>
  write(bytes: Uint8Array): Promise<number>
  closeWrite(): Promise<void>
  close(): void
}

interface Server {
  readonly addr: Addr
  accept(): Promise<Conn>
  close(): void
}

type Permission =
  | { readonly name: "net"; readonly host?: string }
  | { readonly name: "read" | "write"; readonly path: string }

type Endpoint =
  | { readonly transport: "tcp"; readonly hostname: string; readonly port: number }
  | { readonly transport: "unix"; readonly path: string }

declare const Deno: {
  readonly version: { readonly deno: string }
  readonly build: { readonly os: string }
  readonly listenDatagram?: unknown
  readonly permissions: { querySync(query: Permission): { readonly state: "granted" | "prompt" | "denied" } }
  listen(options: Endpoint & { readonly tcpBacklog: number; readonly reusePort?: boolean }): Server
  connect(options: Endpoint & { readonly signal: AbortSignal }): Promise<Conn>
}
