/** When what was touched in a turn of the event loop is flushed: at once with few, together with many. */
import type { Scheduler } from "effect/Scheduler"
import { describe, expect, it } from "vitest"
import { type Flushable, Turn } from "../../core/Turn.ts"

/** A turn whose scheduled tasks run when told, and connections that note when each is read and flushed. */
const harness = () => {
  const tasks: Array<() => void> = []
  const scheduler = { makeDispatcher: () => ({ scheduleTask: (task: () => void) => void tasks.push(task) }) }
  const turn = new Turn(scheduler as unknown as Scheduler) // of which a turn uses no more
  const log: Array<string> = []
  const read = (name: string, bytes: number): void => {
    const target: Flushable = { flush: () => void log.push(`flush ${name}`) }
    turn.enter()
    log.push(`read ${name}`)
    turn.flushLater(target)
    turn.leave(bytes)
  }
  /** A turn of the loop in which so many have so many bytes to read. */
  const loop = (count: number, bytes = 64): ReadonlyArray<string> => {
    log.length = 0
    for (let index = 0; index < count; index++) read(String(index), bytes)
    for (const task of tasks.splice(0)) task()
    return [...log]
  }
  return { turn, loop, read, log, tasks }
}

const oneByOne = (count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, index) => [`read ${index}`, `flush ${index}`]).flat()

const together = (count: number, from = 0): ReadonlyArray<string> =>
  ["read", "flush"].flatMap((what) => Array.from({ length: count }, (_, index) => `${what} ${from + index}`))

const by = (each: number, count: number): ReadonlyArray<string> =>
  Array.from({ length: count / each }, (_, index) => together(each, each * index)).flat()

describe("what was touched in a turn", () => {
  it("is flushed at its end while there are few, however long that goes on", () => {
    const { loop } = harness()
    for (let round = 0; round < 200; round++) expect(loop(3)).toEqual(oneByOne(3))
  })

  it("is flushed together once it was seen that there are many, and at once again when there are few", () => {
    const { loop } = harness()
    for (let round = 0; round < 20; round++) loop(40)
    for (let round = 0; round < 20; round++) expect(loop(40)).toEqual(together(40))
    // Nobody knows in front of a turn how many will come in it.
    expect(loop(2)).toEqual(together(2))
    expect(loop(2)).toEqual(oneByOne(2))
  })

  it("is flushed after 128 connections or 16 KiB were read, whichever comes first", () => {
    const { loop } = harness()
    for (let round = 0; round < 20; round++) loop(40)
    expect(loop(256)).toEqual(by(128, 256))
    expect(loop(40, 4_096)).toEqual(by(4, 40))
    expect(loop(40, 16_384)).toEqual(oneByOne(40))
  })

  it("stays together as long as there are eight in a turn, not one less", () => {
    const { loop } = harness()
    for (let round = 0; round < 20; round++) loop(40)
    for (let round = 0; round < 200; round++) expect(loop(8)).toEqual(together(8))
    loop(7)
    expect(loop(7)).toEqual(oneByOne(7))
  })

  it("is flushed with what a flush touches, and nothing twice", () => {
    const { turn, loop, log, tasks } = harness()
    for (let round = 0; round < 20; round++) loop(40)
    log.length = 0
    const second: Flushable = { flush: () => void log.push("second") }
    const first: Flushable = {
      flush: () => {
        log.push("first")
        turn.enter()
        turn.flushLater(second)
        turn.leave()
      },
    }
    turn.enter()
    turn.flushLater(first)
    turn.leave()
    for (const task of tasks.splice(0)) task()
    expect([log, tasks.length]).toEqual([["first", "second"], 0])
  })
})
