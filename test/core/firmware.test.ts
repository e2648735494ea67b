/** A firmware to a slow device that has other things to say: in virtual time, with a kernel that swallows 4 MB at once. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as Lines from "../../core/codecs/Lines.ts"
import * as Directory from "../../core/Directory.ts"
import * as Service from "../../core/Service.ts"
import { Acknowledgements } from "../../core/Transfer.ts"
import { serve } from "./harness.ts"
import type { Peer } from "./scripted.ts"

const lines = Lines.make({ maxLength: 64 * 1024 })
const size = 4 * 1024 * 1024
const firmware = new Uint8Array(size).map((_, index) => 97 + (index * 7 + (index >> 9)) % 26)
const text = new TextDecoder()

/** `hello OFFSET`, then `ack OFFSET`, `pong` and `answer N`. It is sent `part OFFSET CONTENT`, `ping` and `ask N`. */
const updates = (directory: Directory.Directory<string, string>): Service.Service =>
  Service.session(lines, (connection) =>
    Effect.gen(function* () {
      const member = yield* directory.join("device", connection)
      const from = Number((yield* connection.receive)!.split(" ")[1])
      const acknowledgements = new Acknowledgements()
      const content = Stream.succeed(firmware.subarray(from))
      const frame = (bytes: Uint8Array, offset: number): string => `part ${offset} ${text.decode(bytes)}`
      yield* Effect.forkScoped(connection.sendAll(content, { from, frame, acknowledgements }))
      for (;;) {
        const line = yield* connection.receive
        if (line === undefined) return
        const [verb, value] = line.split(" ")
        if (verb === "ack") acknowledgements.confirm(Number(value))
        if (verb === "answer") member.answer(Number(value), "ok")
      }
    }), { heartbeat: { ping: () => "ping", isPong: (line) => line === "pong" } })

/** A device that takes 10 KB of what was sent to it a second, and answers at once what has reached it. */
class Device {
  readonly arrived = new Uint8Array(size)
  next = 0
  pings = 0
  #peer: Peer
  #read = 0
  #part = ""

  constructor(peer: Peer) {
    this.#peer = peer
    this.#greet()
  }

  /** The network goes, with whatever was on its way. */
  reconnect(connect: () => Peer): void {
    this.#peer.reset()
    this.#peer = connect()
    this.#read = 0
    this.#part = ""
    this.#greet()
  }

  /** A tenth of a second goes by. */
  take(): void {
    const { writes } = this.#peer
    let left = 1_000
    while (left > 0 && writes.length > 0) {
      const write = writes[0]!
      const taken = write.slice(this.#read, this.#read + left)
      this.#part += taken
      this.#read += taken.length
      left -= taken.length
      if (this.#read < write.length) break
      writes.shift()
      this.#read = 0
    }
    const complete = this.#part.split("\n")
    this.#part = complete.pop()!
    for (const line of complete) this.#handle(line)
  }

  #handle(line: string): void {
    const [verb, value, content = ""] = line.split(" ")
    if (verb === "part") {
      expect(Number(value)).toBe(this.next)
      for (let index = 0; index < content.length; index++) this.arrived[this.next + index] = content.charCodeAt(index)
      this.next += content.length
      return this.#peer.send(`ack ${this.next}\n`)
    }
    if (verb === "ping") {
      this.pings++
      return this.#peer.send("pong\n")
    }
    this.#peer.send(`answer ${value}\n`)
  }

  #greet(): void {
    this.#peer.send(`hello ${this.next}\n`)
  }
}

describe("a firmware of 4 MiB at 10 KB/s", () => {
  it.effect(
    "loses no heartbeat and no command, and goes on after a reset where the device says",
    () =>
      Effect.gen(function* () {
        const directory = yield* Directory.make<string, string>()
        const { script, of } = yield* serve(updates(directory), {
          heartbeat: { interval: "10 seconds", missed: 2 },
          limits: { outboxHigh: 4 * size, outboxLow: size },
        })
        const device = new Device(script.connect())
        const answers: Array<string> = []
        let cut = false
        for (let tenths = 0; device.next < size && tenths < 10_000; tenths++) {
          yield* TestClock.adjust("100 millis")
          device.take()
          if (tenths % 200 === 0) {
            const asked = yield* Effect.forkChild(
              directory.ask("device", (correlation) => `ask ${correlation}`, { timeout: "10 seconds" }),
            )
            yield* Effect.forkChild(Effect.map(Fiber.join(asked), ({ _tag }) => answers.push(_tag)))
          }
          if (!cut && device.next > size / 2) {
            cut = true
            device.reconnect(() => script.connect())
          }
        }
        expect(device.next).toBe(size)
        expect(device.arrived).toEqual(firmware)
        yield* TestClock.adjust("11 seconds")
        expect(answers.length).toBeGreaterThan(15)
        // The one that was on its way when the connection was cut nobody knows of.
        expect(answers.filter((tag) => tag !== "Answered").length).toBeLessThanOrEqual(1)
        expect(device.pings).toBeGreaterThan(30)
        expect(of("Closed").map(({ reason }) => reason._tag)).toEqual(["PeerReset"])
      }),
    60_000,
  )
})
