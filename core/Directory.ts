/**
 * Connections by the id of who is behind them: devices, players, machines. A frame is sent to an id, a question asked of
 * it, from anywhere in the program, and what became of it is said in so many words.
 *
 * 1. A connection joins for as long as a scope lives, which is most often its own: as what `open` of a `respond` service
 *    makes, or in the first line of a session.
 * 2. An id is at one connection at most. What happens at a second login is a policy; whoever is replaced ends as
 *    `Superseded`. Two clients with the same id cannot displace each other for ever: see `takeovers`.
 * 3. A question is asked once. It is answered, or was not sent, or nobody knows: then it may have been done, and only who
 *    asked can say whether to ask again.
 *
 * {@link Directory} is what programs use, and nothing in it says where an id is; {@link make} keeps them in this process.
 * It refuses to be one of several processes (`--workers`), where it would miss those who are with the others.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import type { Scope } from "effect/Scope"
import * as CloseReason from "./CloseReason.ts"
import type { Connection } from "./Connection.ts"
import type { SendOptions } from "./MessageClass.ts"

/** What became of a frame: handed to the connection, or not. */
export type Delivery = "Sent" | "NotConnected" | "OutboxFull"

/** What became of a question. */
export type Answer<Reply> =
  | { readonly _tag: "Answered"; readonly reply: Reply }
  /** It never left. */
  | { readonly _tag: "NotSent"; readonly why: Exclude<Delivery, "Sent"> }
  /** It was sent, and the connection ended before the answer, or none came in time. It may have been done. */
  | { readonly _tag: "Unknown"; readonly why: "Disconnected" | "Timeout"; readonly correlation: number }

/** How many members a broadcast was sent to, and how many had too much unsent to be sent more. */
export interface Broadcast {
  readonly sent: number
  readonly full: number
}

/** Connections by id. `Frame`: what they are sent. `Reply`: what questions are answered with. */
export interface Directory<in Id, in Frame, Reply = Frame> {
  /**
   * Puts a connection under an id for as long as the scope lives. Fails with `LoginRefused`, which ends the connection of
   * a session or of an `open` that fails with it, when the policy keeps it out.
   */
  join(id: Id, connection: Connection<Frame>): Effect.Effect<Member<Reply>, CloseReason.LoginRefused, Scope>
  /** Sends a frame to an id. With a class the message is never refused: the class says what becomes of it. */
  send(id: Id, frame: Frame, options?: SendOptions): Effect.Effect<Delivery>
  /**
   * Asks an id: `make` puts the correlation id into the frame, and whoever reads the answer gives it to
   * {@link Member.answer}. Correlation ids are integers from 1 to 2³¹ − 1 that count up from a random one, so that a device
   * which drops those that it has seen drops nothing new after a restart of the server. With the `correlation` of an answer
   * that was `Unknown` the same is asked again; dies with a RangeError while it is waited for. Timeout: default 30 s.
   */
  ask(
    id: Id,
    make: (correlation: number) => Frame,
    options?: { readonly timeout?: Duration.Input; readonly correlation?: number },
  ): Effect.Effect<Answer<Reply>>
  /** Sends a frame to all, or to all in a room. Whoever has more than `limits.outboxHigh` unsent is left out. */
  broadcast(frame: Frame, options?: { readonly room?: string } & SendOptions): Effect.Effect<Broadcast>
  /** Whether an id has a connection. */
  has(id: Id): Effect.Effect<boolean>
  /** How many ids have a connection. */
  readonly size: Effect.Effect<number>
}

/** A connection in a directory. */
export interface Member<in Reply> {
  /**
   * Gives the answer to a question. Returns whether it was waited for: what is unknown, late or repeated, or was asked of
   * somebody else, is ignored (FAULTS 34).
   */
  answer(correlation: number, reply: Reply): boolean
  /** Enters a room. It leaves all rooms when it leaves the directory. */
  enter(room: string): void
  leave(room: string): void
}

/** What happens at a second login of an id. */
export interface DirectoryOptions<out Frame> {
  /**
   * `replace`: the new connection takes the place, the old one ends as `Superseded`. `refuse`: the old one stays.
   * `probe-then-replace`: the old one stays if anything comes from it within `probe.timeout`. Default `replace`.
   */
  readonly duplicate?: "replace" | "refuse" | "probe-then-replace"
  /** Wanted by `probe-then-replace`: makes a frame that a peer answers. Timeout: default 5 s. */
  readonly probe?: { readonly frame: () => Frame; readonly timeout?: Duration.Input }
  /**
   * How often an id may change its connection by `replace` within a time; beyond that the old one stays, until the time is
   * over. Default 3 within a minute.
   */
  readonly takeovers?: { readonly most: number; readonly within: Duration.Input }
}

const shared = Symbol.for("anyport/Shared")

/**
 * Whether other processes serve the same clients, now or when this one is replaced. Said by whoever starts them, before
 * the service is loaded.
 */
export const Shared: Context.Reference<boolean> = Context.Reference("anyport/Shared", {
  // A module of the user's may make its directory before there is anything of ours to ask.
  defaultValue: () => (globalThis as { readonly [shared]?: boolean })[shared] ?? false, // nobody else uses this symbol
})

/** A directory in this process cannot serve several of them. */
export class NotShared extends Data.TaggedError("NotShared") {
  override get message(): string {
    return "A directory knows the connections of its own process, and --workers has several, at least while they are " +
      "replaced: leave --workers out, or use a directory that they share"
  }
}

/** Makes a directory of this process. Fails where there are several. Throws a RangeError that names a wrong option. */
export const make = <Id, Frame, Reply = Frame>(
  options: DirectoryOptions<Frame> = {},
): Effect.Effect<Directory<Id, Frame, Reply>, NotShared> => {
  const { duplicate = "replace", probe, takeovers = { most: 3, within: "1 minute" } } = options
  if (duplicate === "probe-then-replace" && probe === undefined) {
    throw new RangeError(
      "Cannot make a directory: probe is undefined, accepted is what makes a frame that peers answer",
    )
  }
  if (!(takeovers.most >= 0)) {
    throw new RangeError(`Cannot make a directory: takeovers.most is ${takeovers.most}, accepted is a number from 0`)
  }
  return Effect.gen(function* () {
    if (yield* Shared) return yield* Effect.fail(new NotShared())
    const clock = yield* Clock.Clock
    const first = yield* Random.nextIntBetween(1, correlations)
    const now = (): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
    return new Local<Id, Frame, Reply>({ duplicate, probe, takeovers }, first, now)
  })
}

const correlations = 2 ** 31 - 1

interface Policy<Frame> {
  readonly duplicate: NonNullable<DirectoryOptions<Frame>["duplicate"]>
  readonly probe: DirectoryOptions<Frame>["probe"]
  readonly takeovers: NonNullable<DirectoryOptions<Frame>["takeovers"]>
}

/** The directory of one process. */
class Local<Id, Frame, Reply> implements Directory<Id, Frame, Reply> {
  readonly #policy: Policy<Frame>
  readonly #now: () => number
  readonly #within: number
  readonly #members = new Map<Id, Joined<Frame, Reply>>()
  readonly #rooms = new Map<string, Set<Joined<Frame, Reply>>>()
  #correlation: number

  constructor(policy: Policy<Frame>, first: number, now: () => number) {
    this.#policy = policy
    this.#correlation = first
    this.#now = now
    this.#within = Duration.toMillis(policy.takeovers.within)
  }

  join(id: Id, connection: Connection<Frame>): Effect.Effect<Member<Reply>, CloseReason.LoginRefused, Scope> {
    return Effect.acquireRelease(
      Effect.suspend(() => this.#enter(id, connection)),
      (member) =>
        Effect.sync(() => {
          if (this.#members.get(id) === member) this.#members.delete(id)
          member.end()
        }),
      { interruptible: true },
    )
  }

  send(id: Id, frame: Frame, options?: SendOptions): Effect.Effect<Delivery> {
    return Effect.sync(() => this.#members.get(id)?.send(frame, options) ?? "NotConnected")
  }

  ask(
    id: Id,
    make: (correlation: number) => Frame,
    options: { readonly timeout?: Duration.Input; readonly correlation?: number } = {},
  ): Effect.Effect<Answer<Reply>> {
    const { timeout = "30 seconds" } = options
    return Effect.suspend(() => {
      const member = this.#members.get(id)
      if (member === undefined) return Exit.succeed<Answer<Reply>>({ _tag: "NotSent", why: "NotConnected" })
      const { correlation = this.#next() } = options
      return Effect.timeoutOrElse(member.ask(correlation, make), {
        duration: timeout,
        orElse: () => Exit.succeed<Answer<Reply>>({ _tag: "Unknown", why: "Timeout", correlation }),
      })
    })
  }

  broadcast(
    frame: Frame,
    { room, ...options }: { readonly room?: string } & SendOptions = {},
  ): Effect.Effect<Broadcast> {
    return Effect.sync(() => {
      const counts = { sent: 0, full: 0 }
      const members = room === undefined ? this.#members.values() : this.#rooms.get(room) ?? []
      for (const member of members) {
        const delivery = member.send(frame, options)
        if (delivery === "Sent") counts.sent++
        if (delivery === "OutboxFull") counts.full++
      }
      return counts
    })
  }

  has(id: Id): Effect.Effect<boolean> {
    return Effect.sync(() => this.#members.get(id)?.connection.open ?? false)
  }

  readonly size: Effect.Effect<number> = Effect.sync(() => this.#members.size)

  #next(): number {
    this.#correlation = this.#correlation >= correlations ? 1 : this.#correlation + 1
    return this.#correlation
  }

  /** Takes the place of an id, if the policy lets it. */
  #enter(id: Id, connection: Connection<Frame>): Effect.Effect<Joined<Frame, Reply>, CloseReason.LoginRefused> {
    const before = this.#members.get(id)
    // Whose connection is ending has left already.
    if (before === undefined || !before.connection.open || before.connection === connection) {
      return Exit.succeed(this.#take(id, connection, before))
    }
    switch (this.#policy.duplicate) {
      case "refuse":
        return Exit.fail(CloseReason.loginRefused("another connection has this id"))
      case "replace":
        return this.#replace(id, connection, before)
      case "probe-then-replace":
        return Effect.flatMap(this.#answers(before), (alive) => {
          if (alive) return Exit.fail(CloseReason.loginRefused("another connection has this id, and it answers"))
          // Somebody else may have come meanwhile, and was not probed.
          return this.#members.get(id) === before ? this.#replace(id, connection, before) : this.#enter(id, connection)
        })
    }
  }

  #replace(
    id: Id,
    connection: Connection<Frame>,
    before: Joined<Frame, Reply>,
  ): Exit.Exit<Joined<Frame, Reply>, CloseReason.LoginRefused> {
    const recent = before.takeovers.filter((at) => this.#now() - at < this.#within)
    if (recent.length >= this.#policy.takeovers.most) {
      const { most, within } = this.#policy.takeovers
      const often = `${most} times in ${Duration.format(Duration.fromInputUnsafe(within))}`
      return Exit.fail(CloseReason.loginRefused(`more than one client has this id: it changed hands ${often}`))
    }
    const member = this.#take(id, connection, before)
    member.takeovers = [...recent, this.#now()]
    before.connection.closeUnsafe(CloseReason.superseded)
    return Exit.succeed(member)
  }

  #take(id: Id, connection: Connection<Frame>, before: Joined<Frame, Reply> | undefined): Joined<Frame, Reply> {
    const member = new Joined<Frame, Reply>(connection, this.#rooms)
    this.#members.set(id, member)
    // Whoever is replaced is not a member any more, however long its connection takes to end.
    before?.end()
    return member
  }

  /** Whether anything comes from a member that was sent a probe. */
  #answers({ connection }: Joined<Frame, Reply>): Effect.Effect<boolean> {
    const { frame, timeout = "5 seconds" } = this.#policy.probe! // it was checked
    return Effect.gen(function* () {
      const { bytesReceived } = connection.counters
      connection.sendUnsafe(frame())
      const nap = Duration.toMillis(timeout) / probeLooks
      for (let looks = 0; looks < probeLooks && connection.open; looks++) {
        yield* Effect.sleep(nap)
        if (connection.counters.bytesReceived !== bytesReceived) return true
      }
      return false
    })
  }
}

const probeLooks = 50

/** A connection that has joined. */
class Joined<Frame, Reply> implements Member<Reply> {
  readonly connection: Connection<Frame>
  /** When the id changed hands. */
  takeovers: ReadonlyArray<number> = []
  readonly #rooms: Map<string, Set<Joined<Frame, Reply>>>
  readonly #mine = new Set<string>()
  readonly #asked = new Map<number, (answer: Answer<Reply>) => void>()
  #ended = false

  constructor(connection: Connection<Frame>, rooms: Map<string, Set<Joined<Frame, Reply>>>) {
    this.connection = connection
    this.#rooms = rooms
  }

  send(frame: Frame, options?: SendOptions): Delivery {
    const { connection } = this
    if (!connection.open) return "NotConnected"
    const kept = options?.class !== undefined && options.class.full !== "wait"
    if (!kept && !connection.writable) return "OutboxFull"
    const failure = connection.sendUnsafe(frame, options)
    if (failure === undefined) return "Sent"
    return failure._tag === "OutboxFull" ? "OutboxFull" : "NotConnected"
  }

  ask(correlation: number, make: (correlation: number) => Frame): Effect.Effect<Answer<Reply>> {
    return Effect.callback((resume) => {
      if (this.#asked.has(correlation)) {
        return resume(Exit.die(new RangeError(`Cannot ask: an answer to ${correlation} is waited for`)))
      }
      const frame = make(correlation)
      const settle = (answer: Answer<Reply>): void => resume(Exit.succeed(answer))
      // Before it is sent: the answer may come while it is.
      this.#asked.set(correlation, settle)
      const delivery = this.send(frame)
      if (delivery !== "Sent") {
        this.#asked.delete(correlation)
        return settle({ _tag: "NotSent", why: delivery })
      }
      return Effect.sync(() => this.#asked.delete(correlation))
    })
  }

  answer(correlation: number, reply: Reply): boolean {
    const settle = this.#asked.get(correlation)
    if (settle === undefined) return false
    this.#asked.delete(correlation)
    settle({ _tag: "Answered", reply })
    return true
  }

  enter(room: string): void {
    if (this.#ended) return
    const members = this.#rooms.get(room)
    if (members === undefined) this.#rooms.set(room, new Set([this]))
    else members.add(this)
    this.#mine.add(room)
  }

  leave(room: string): void {
    this.#mine.delete(room)
    const members = this.#rooms.get(room)
    if (members?.delete(this) && members.size === 0) this.#rooms.delete(room)
  }

  /** It has left, or was replaced: what was asked of it nobody will answer. */
  end(): void {
    this.#ended = true
    for (const room of [...this.#mine]) this.leave(room)
    const asked = [...this.#asked]
    this.#asked.clear()
    for (const [correlation, settle] of asked) settle({ _tag: "Unknown", why: "Disconnected", correlation })
  }
}
