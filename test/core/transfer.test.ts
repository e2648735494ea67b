import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as CloseReason from "../../core/CloseReason.ts"
import * as Transfer from "../../core/Transfer.ts"

interface Part {
  readonly offset: number
  readonly bytes: Uint8Array
}

const bytes = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, index) => index % 251)

/** A connection that notes what is sent; `close` ends it. */
class Link implements Transfer.Link<Part> {
  readonly parts: Array<Part> = []
  #end: ((reason: CloseReason.CloseReason) => void) | undefined
  #ended: CloseReason.CloseReason | undefined

  send(part: Part): Effect.Effect<void, CloseReason.CloseReason> {
    return Effect.suspend(() => {
      if (this.#ended !== undefined) return Effect.fail(this.#ended)
      this.parts.push(part)
      return Effect.void
    })
  }

  readonly closed = Effect.callback<CloseReason.CloseReason>((resume) => {
    this.#end = (reason) => resume(Effect.succeed(reason))
  })

  close(reason: CloseReason.CloseReason): void {
    this.#ended = reason
    this.#end?.(reason)
  }

  get sent(): number {
    return this.parts.reduce((sum, { bytes }) => sum + bytes.length, 0)
  }
}

const frame = (bytes: Uint8Array, offset: number): Part => ({ offset, bytes: bytes.slice() })
const settle = TestClock.adjust(0)

describe("sendAll", () => {
  it.effect("is never more than its window ahead of what the peer confirms, and arrives whole", () =>
    Effect.gen(function* () {
      const link = new Link()
      const acknowledgements = new Transfer.Acknowledgements()
      const firmware = bytes(1_000_000)
      const stream = Stream.fromIterable([firmware.subarray(0, 300_000), firmware.subarray(300_000)])
      const fiber = yield* Effect.forkChild(Transfer.sendAll(link, stream, { frame, acknowledgements }))
      for (let confirmed = 0; confirmed < firmware.length;) {
        yield* settle
        expect(link.sent - confirmed).toBeLessThanOrEqual(64 * 1024)
        expect(link.sent).toBeGreaterThan(confirmed)
        confirmed = Math.min(link.sent, confirmed + 10_000)
        acknowledgements.confirm(confirmed)
      }
      expect(yield* Fiber.join(fiber)).toBe(firmware.length)
      const arrived = new Uint8Array(firmware.length)
      for (const { offset, bytes } of link.parts) arrived.set(bytes, offset)
      expect(arrived).toEqual(firmware)
      expect(Math.max(...link.parts.map(({ bytes }) => bytes.length))).toBeLessThanOrEqual(16 * 1024)
    }))

  it.effect("goes on from the byte that the peer names", () =>
    Effect.gen(function* () {
      const link = new Link()
      const acknowledgements = new Transfer.Acknowledgements()
      const stream = Stream.succeed(bytes(1_000).subarray(400))
      const fiber = yield* Effect.forkChild(Transfer.sendAll(link, stream, { frame, acknowledgements, from: 400 }))
      yield* settle
      expect(link.parts[0]).toMatchObject({ offset: 400 })
      acknowledgements.confirm(1_000)
      expect(yield* Fiber.join(fiber)).toBe(1_000)
    }))

  it.effect("without acknowledgements goes as fast as its rate says", () =>
    Effect.gen(function* () {
      const link = new Link()
      const fiber = yield* Effect.forkChild(
        Transfer.sendAll(link, Stream.succeed(bytes(100_000)), { frame, rate: 10_000, part: 1_000 }),
      )
      yield* TestClock.adjust("5 seconds")
      expect(link.sent).toBe(51_000)
      yield* TestClock.adjust("5 seconds")
      expect(yield* Fiber.join(fiber)).toBe(100_000)
    }))

  it.effect("a source that stood still is not made up for: behind it comes no more than a tenth of a second at once", () =>
    Effect.gen(function* () {
      const link = new Link()
      const stream = Stream.fromEffect(Effect.as(Effect.sleep("1 minute"), bytes(200_000)))
      const fiber = yield* Effect.forkChild(Transfer.sendAll(link, stream, { frame, rate: 10_000, part: 1_000 }))
      yield* TestClock.adjust("1 minute")
      expect(link.sent).toBeLessThanOrEqual(2_000)
      yield* TestClock.adjust("1 second")
      expect(link.sent).toBeLessThanOrEqual(12_000)
      yield* TestClock.adjust("20 seconds")
      expect(yield* Fiber.join(fiber)).toBe(200_000)
    }))

  it.effect("fails with the connection's end, also while it waits, and as stalled when nothing is confirmed any more", () =>
    Effect.gen(function* () {
      const acknowledgements = new Transfer.Acknowledgements()
      const cut = new Link()
      const options = { frame, acknowledgements, stall: "10 seconds" } as const
      const stream = Stream.succeed(bytes(1_000_000))
      const waiting = yield* Effect.forkChild(Effect.flip(Transfer.sendAll(cut, stream, options)))
      yield* settle
      cut.close(CloseReason.peerReset)
      expect(yield* Fiber.join(waiting)).toMatchObject({ _tag: "PeerReset" })
      const link = new Link()
      const stalled = yield* Effect.forkChild(Effect.flip(Transfer.sendAll(link, stream, options)))
      yield* settle
      acknowledgements.confirm(1_000)
      yield* TestClock.adjust("9 seconds")
      acknowledgements.confirm(2_000)
      yield* TestClock.adjust("10 seconds")
      expect(yield* Fiber.join(stalled)).toMatchObject({ _tag: "TransferStalled", confirmed: 2_000, sent: 65_536 })
    }))

  it.effect("a peer that confirms less than before, or nonsense, gets no more for it", () =>
    Effect.gen(function* () {
      const link = new Link()
      const acknowledgements = new Transfer.Acknowledgements()
      const fiber = yield* Effect.forkChild(
        Transfer.sendAll(link, Stream.succeed(bytes(200_000)), { frame, acknowledgements }),
      )
      yield* settle
      for (const offset of [NaN, -1, Number.NaN]) acknowledgements.confirm(offset)
      yield* settle
      expect(link.sent).toBe(65_536)
      acknowledgements.confirm(50_000)
      acknowledgements.confirm(10)
      yield* settle
      expect(link.sent - 50_000).toBeLessThanOrEqual(65_536)
      yield* Fiber.interrupt(fiber)
    }))

  it("refuses options that cannot be, by name", () => {
    const all = (options: Partial<Transfer.TransferOptions<Part>>) => () =>
      Transfer.sendAll(new Link(), Stream.empty, { frame, ...options })
    expect(all({})).toThrow(
      "rate is Infinity, accepted is a number of bytes a second where there are no acknowledgements",
    )
    expect(all({ rate: 0 })).toThrow("rate is 0, accepted is more than 0 bytes a second")
    expect(all({ rate: 1, from: -1 })).toThrow("from is -1, accepted is an integer from 0")
    expect(all({ rate: 1, window: 0 })).toThrow("window is 0, accepted is an integer from 1")
    expect(all({ rate: 1, part: 0.5 })).toThrow("part is 0.5, accepted is an integer from 1")
  })
})
