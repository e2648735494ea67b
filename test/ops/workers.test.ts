import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { tcp, unix } from "../../core/Address.ts"
import * as Part from "../../ops/workers/Part.ts"
import * as Share from "../../ops/workers/Share.ts"
import { crew, left, numbers, pass, serve, settle } from "./crew.ts"

describe("starting", () => {
  it.effect("the others wait for the first one, and get its port", () =>
    Effect.gen(function* () {
      const { workers, log } = yield* crew({ count: 3 })
      expect(numbers(workers)).toEqual([1])
      expect(workers[0]!.port).toBe(undefined)
      workers[0]!.serve()
      yield* settle
      expect(numbers(workers)).toEqual([1, 2, 3])
      expect(workers.slice(1).map(({ port }) => port)).toEqual([4_321, 4_321])
      expect(log).not.toContain("workers ready")
      workers[2]!.serve()
      workers[1]!.serve()
      yield* settle
      expect(log.at(-1)).toBe("workers ready")
    }))

  it.effect("is given up after five failures in a row, and not before", () =>
    Effect.gen(function* () {
      const { workers, running } = yield* crew({ count: 2 }, (worker) => worker.end(1))
      yield* pass("1 minute")
      expect(workers.length).toBe(5)
      expect(yield* Effect.flip(Fiber.join(running))).toMatchObject({
        _tag: "GaveUp",
        message: expect.stringMatching(/^Worker 1 keeps failing at start: 5 times .* exit code 1/),
      })
    }))

  it.effect("is given up when a later worker never starts, although the first one serves", () =>
    Effect.gen(function* () {
      const { workers, running } = yield* crew(
        { count: 2 },
        (worker) => worker.number === 1 ? worker.serve() : worker.end(1),
      )
      yield* pass("1 minute")
      expect(numbers(workers)).toEqual([1, 2, 2, 2, 2, 2])
      expect(yield* Effect.flip(Fiber.join(running))).toMatchObject({ _tag: "GaveUp" })
    }))

  it.effect("exit code 2 of the first one is not tried again", () =>
    Effect.gen(function* () {
      const { workers, running } = yield* crew({ count: 2 }, (worker) => worker.end(2))
      yield* pass("1 minute")
      expect(workers.length).toBe(1)
      expect(yield* Effect.flip(Fiber.join(running))).toMatchObject({ _tag: "Misconfigured" })
    }))

  it.effect("who is not ready in time is killed, and counts as failed", () =>
    Effect.gen(function* () {
      const { workers, running } = yield* crew({ count: 1, startTimeout: "10 seconds" })
      yield* pass("9 seconds")
      expect(workers[0]!.told).toEqual([])
      yield* pass("1 second")
      expect(workers[0]!.told).toEqual(["kill"])
      yield* pass("2 minutes")
      expect(workers.length).toBe(5)
      expect((yield* Effect.flip(Fiber.join(running))).toString()).toContain("not ready in 10 s")
    }))
})

describe("starting again", () => {
  /** After how long a worker is started anew that ends as soon as it serves, so many times. */
  const waits = Effect.fnUntraced(function* (times: number, ran: number) {
    const { workers } = yield* crew({ count: 1 }, serve)
    const found: Array<number> = []
    for (let time = 0; time < times; time++) {
      yield* pass(ran)
      const before = workers.length
      workers.at(-1)!.end(1)
      let wait = 0
      for (; workers.length === before; wait += 25) yield* pass(25)
      found.push(wait)
    }
    return found
  })

  it.effect("the waits double up to the longest, less a random half", () =>
    Effect.gen(function* () {
      const found = yield* waits(10, 0)
      for (const [time, wait] of found.entries()) {
        const longest = Math.min(30_000, 250 * 2 ** time)
        expect(wait, `wait ${time}`).toBeGreaterThanOrEqual(longest / 2)
        expect(wait, `wait ${time}`).toBeLessThanOrEqual(longest + 25)
      }
      expect(new Set(found.slice(-3)).size, "chance").toBeGreaterThan(1)
    }))

  it.effect("who ran well is started again at once, nearly, however often", () =>
    Effect.gen(function* () {
      for (const wait of yield* waits(8, 10_000)) expect(wait).toBeLessThanOrEqual(275)
    }))

  it.effect("the others are left alone, and it is never given up while one of them serves", () =>
    Effect.gen(function* () {
      let broken = false
      const { workers, running } = yield* crew({ count: 2 }, (worker) => broken ? worker.end(1) : worker.serve())
      broken = true
      workers[1]!.end(undefined)
      yield* pass("10 minutes")
      expect(numbers(workers).slice(2).every((number) => number === 2)).toBe(true)
      expect(workers.length).toBeGreaterThan(10)
      expect(workers[0]!.told).toEqual([])
      expect(running.pollUnsafe()).toBe(undefined)
      broken = false
      yield* pass("30 seconds")
      expect(numbers(left(workers))).toEqual([1, 2])
      broken = true
      for (const worker of left(workers)) worker.end(undefined)
      yield* pass("10 minutes")
      expect(running.pollUnsafe(), "nobody serves").not.toBe(undefined)
    }))
})

describe("ending", () => {
  it.effect("all are told to drain, and all ended with 0", () =>
    Effect.gen(function* () {
      const { supervisor, workers } = yield* crew({ count: 3 }, serve)
      const drained = yield* Effect.forkChild(supervisor.drain)
      yield* settle
      expect(workers.map(({ told }) => told)).toEqual([["drain"], ["drain"], ["drain"]])
      for (const worker of workers) worker.end(0)
      expect(yield* Fiber.join(drained)).toBe(true)
      yield* pass("1 hour")
      expect(workers.length, "nobody is started again").toBe(3)
    }))

  it.effect("who had to force says so by its exit code", () =>
    Effect.gen(function* () {
      const { supervisor, workers } = yield* crew({ count: 2 }, serve)
      const drained = yield* Effect.forkChild(supervisor.drain)
      yield* settle
      workers[0]!.end(1)
      workers[1]!.end(0)
      expect(yield* Fiber.join(drained)).toBe(false)
    }))

  it.effect("who does not end in the time that it named is killed", () =>
    Effect.gen(function* () {
      const { supervisor, workers } = yield* crew({ count: 2 }, (worker) => worker.serve(40_000))
      const drained = yield* Effect.forkChild(supervisor.drain)
      yield* settle
      workers[1]!.end(0)
      yield* pass("39 seconds")
      expect(workers[0]!.told).toEqual(["drain"])
      yield* pass("1 second")
      expect(workers[0]!.told).toEqual(["drain", "kill"])
      expect(yield* Fiber.join(drained)).toBe(false)
    }))

  it.effect("who was not ready yet is asked too, has 10 s, and does not count", () =>
    Effect.gen(function* () {
      const { supervisor, workers } = yield* crew({ count: 2 }, (worker) => worker.number === 1 && worker.serve())
      const drained = yield* Effect.forkChild(supervisor.drain)
      yield* settle
      expect(workers[1]!.told).toEqual(["drain"])
      workers[0]!.end(0)
      yield* pass("10 seconds")
      expect(workers[1]!.told).toEqual(["drain", "kill"])
      expect(yield* Fiber.join(drained)).toBe(true)
    }))

  it.effect("at once: all are told to abort, and killed a second later", () =>
    Effect.gen(function* () {
      const { supervisor, workers } = yield* crew({ count: 2 }, serve)
      yield* Effect.forkChild(supervisor.drain)
      yield* settle
      const aborted = yield* Effect.forkChild(supervisor.abort(143))
      yield* settle
      workers[0]!.end(143)
      yield* pass("1 second")
      yield* Fiber.join(aborted)
      expect(workers.map(({ told }) => told)).toEqual([["drain", "abort 143"], ["drain", "abort 143", "kill"]])
    }))
})

describe("a rolling restart", () => {
  it.effect("starts all new ones, and drains the old ones when these are ready", () =>
    Effect.gen(function* () {
      const { supervisor, workers } = yield* crew({ count: 2 }, (worker) => worker.pid < 102 && worker.serve())
      const rolled = yield* Effect.forkChild(supervisor.roll)
      yield* settle
      expect(numbers(workers)).toEqual([1, 2, 1])
      workers[2]!.serve()
      yield* settle
      expect(numbers(workers)).toEqual([1, 2, 1, 2])
      expect(workers.slice(0, 2).map(({ told }) => told)).toEqual([[], []])
      workers[3]!.serve()
      yield* settle
      expect(workers.map(({ told }) => told)).toEqual([["drain"], ["drain"], [], []])
      for (const worker of workers.slice(0, 2)) worker.end(0)
      expect(yield* Fiber.join(rolled)).toMatchObject({ _tag: "Done" })
      yield* pass("1 hour")
      expect(workers.length, "the old ones are not started again").toBe(4)
      workers[3]!.end(undefined)
      yield* pass("1 second")
      expect(numbers(workers), "the new ones are").toEqual([1, 2, 1, 2, 2])
    }))

  it.effect("one that is not ready in time: all new ones go, and the old ones stay", () =>
    Effect.gen(function* () {
      const { supervisor, workers } = yield* crew(
        { count: 3, startTimeout: "20 seconds" },
        (worker) => (worker.pid < 103 || worker.number !== 3) && worker.serve(),
      )
      const rolled = yield* Effect.forkChild(supervisor.roll)
      yield* pass("20 seconds")
      expect(workers.slice(3).map(({ number, told }) => [number, ...told])).toEqual([
        [1, "drain"],
        [2, "drain"],
        [3, "kill"],
      ])
      for (const worker of workers.slice(3)) worker.end(0)
      expect(yield* Fiber.join(rolled)).toMatchObject({ _tag: "Failed" })
      yield* pass("1 hour")
      expect(left(workers)).toEqual(workers.slice(0, 3))
      expect(workers.slice(0, 3).flatMap(({ told }) => told)).toEqual([])
    }))

  it.effect("the first new one that ends at start is the only one that is tried", () =>
    Effect.gen(function* () {
      const { supervisor, workers } = yield* crew(
        { count: 4 },
        (worker) => worker.pid < 104 ? worker.serve() : worker.end(2),
      )
      expect(yield* supervisor.roll).toEqual({
        _tag: "Failed",
        how: "worker 1 did not start (exit code 2), the old ones stay",
      })
      expect(workers.length).toBe(5)
    }))

  it.effect("ten in a row leave as many workers as there are to be", () =>
    Effect.gen(function* () {
      const { supervisor, workers } = yield* crew({ count: 3 }, serve)
      for (let time = 0; time < 10; time++) {
        const rolled = yield* Effect.forkChild(supervisor.roll)
        yield* settle
        for (const worker of workers) if (worker.told.includes("drain")) worker.end(0)
        expect(yield* Fiber.join(rolled)).toMatchObject({ _tag: "Done" })
        expect(numbers(left(workers)).toSorted()).toEqual([1, 2, 3])
      }
    }))

  it.effect("replaces who is waiting to be started again, and does not start it twice", () =>
    Effect.gen(function* () {
      const { supervisor, workers } = yield* crew({ count: 2 }, serve)
      workers[1]!.end(undefined)
      yield* settle
      const rolled = yield* Effect.forkChild(supervisor.roll)
      yield* settle
      workers[0]!.end(0)
      expect(yield* Fiber.join(rolled)).toMatchObject({ _tag: "Done" })
      yield* pass("1 hour")
      expect(numbers(workers)).toEqual([1, 2, 1, 2])
    }))

  it.effect("is refused while one is under way, before all have started, and while they end", () =>
    Effect.gen(function* () {
      const { supervisor, workers } = yield* crew({ count: 1 }, (worker) => worker.pid === 102 && worker.serve())
      expect(yield* supervisor.roll).toMatchObject({ _tag: "Refused" })
      workers[0]!.serve()
      yield* settle
      yield* Effect.forkChild(supervisor.roll)
      yield* settle
      expect(yield* supervisor.roll).toMatchObject({ _tag: "Refused" })
      expect(workers.length).toBe(2)
      const drained = yield* Effect.forkChild(supervisor.drain)
      yield* settle
      expect(yield* supervisor.roll).toMatchObject({ _tag: "Refused" })
      expect(workers.map(({ told }) => told), "also who was to replace").toEqual([["drain"], ["drain"]])
      for (const worker of workers) worker.end(0)
      expect(yield* Fiber.join(drained)).toBe(true)
    }))
})

describe("a worker's part", () => {
  const address = tcp("127.0.0.1", 9_000)
  const shares = (maxConnections: number, count: number): ReadonlyArray<number | undefined> =>
    Array.from(
      { length: count },
      (_, index) =>
        Part.settings({ limits: { maxConnections } }, address, { number: index + 1, count }).limits
          ?.maxConnections,
    )

  it("the shares of a limit add up to it, and differ by one at most", () => {
    expect(shares(10, 4)).toEqual([3, 3, 2, 2])
    expect(shares(4, 4)).toEqual([1, 1, 1, 1])
    expect(shares(Infinity, 2)).toEqual([Infinity, Infinity])
    expect(shares(0, 2)).toEqual([0, 0])
  })

  it("a default is shared too", () => {
    expect(Part.settings({}, address, { number: 2, count: 4 }).limits).toEqual({
      maxConnections: 2_500,
      memory: Infinity,
      maxInFlight: Infinity,
    })
    expect(Part.settings({ preset: "edge" }, address, { number: 2, count: 4 }).limits).toMatchObject({
      memory: 4 * 1_024 * 1_024,
    })
  })

  it("a limit that is lower than the number of workers is refused by name", () => {
    expect(() => shares(3, 4)).toThrow("Cannot set limits.maxConnections to 3: accepted is at least 4")
  })

  it("is what its text says, and nothing else is one", () => {
    for (const text of ["1/1,cluster", "2/4:9000,reuseport", "16/16:1,cluster"]) {
      expect(Part.format(Part.parse(text)!)).toBe(text)
    }
    for (
      const text of ["", "0/1,cluster", "3/2,cluster", "1,cluster", "1/2", "1/2:,cluster", "a/b,cluster", "1/2:3,else"]
    ) expect(Part.parse(text), text).toBe(undefined)
  })
})

describe("by what workers share an address", () => {
  const [port, path] = [tcp("127.0.0.1", 9_000), unix("/run/a.sock")]
  const linux = { runtime: "node 24.0.0", platform: "linux", reusePort: true }
  const darwin = { runtime: "node 24.0.0", platform: "darwin", reusePort: false }
  const bun = { ...linux, runtime: "bun 1.4.0" }
  const problem = (...of: Parameters<typeof Share.choose>): string => {
    const chosen = Share.choose(...of)
    return typeof chosen === "object" ? chosen.problem : chosen
  }

  it("the system does where it can, and Node's cluster where it cannot", () => {
    expect(Share.choose("auto", port, linux)).toBe("reuseport")
    expect(Share.choose("auto", port, bun)).toBe("reuseport")
    expect(Share.choose("auto", port, darwin)).toBe("cluster")
    expect(Share.choose("auto", path, linux)).toBe("cluster")
  })

  it("what is asked for it is, or a problem that says what is accepted", () => {
    expect(Share.choose("cluster", port, linux)).toBe("cluster")
    expect(Share.choose("reuseport", port, linux)).toBe("reuseport")
    expect(problem("cluster", port, bun)).toBe(
      "--share cluster is Node's, and this is bun 1.4.0; accepted here are auto and reuseport",
    )
    expect(problem("reuseport", port, darwin)).toBe(
      "--workers wants SO_REUSEPORT, which node 24.0.0 has not on darwin; leave --share out",
    )
    expect(problem("reuseport", path, linux)).toContain("leave --share out")
    expect(problem("auto", path, bun)).toContain("this is bun 1.4.0; give --port")
    expect(problem("auto", port, { ...bun, platform: "darwin", reusePort: false })).toContain("behind a balancer")
  })
})
