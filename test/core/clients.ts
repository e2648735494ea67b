/** Visitors that talk by themselves, for tests of how a server ends; and time that passes as a process lives it. */
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { turns } from "./harness.ts"
import type { Town, Visit, Visitor } from "./visitors.ts"

const turn = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

/** Lets time pass in naps of 10 ms, each after a turn of the loop. */
export const live = Effect.fnUntraced(function* (millis: number) {
  yield* turns
  for (let left = millis; left > 0; left -= 10) {
    yield* turn
    yield* TestClock.adjust(Math.min(10, left))
  }
  yield* turns
})

/** Has something done when the server calls a method of a transport, after the call. */
export const after = (
  { transport }: Visitor,
  method: "write" | "shutdown",
  react: (written: string) => void,
): void => {
  const write = transport.write
  const shutdown = transport.shutdown
  if (method === "shutdown") {
    transport.shutdown = () => {
      shutdown()
      setImmediate(() => react(""))
    }
  } else {
    transport.write = (bytes) => {
      const taken = write(bytes)
      const text = new TextDecoder().decode(bytes.subarray(0, taken))
      if (taken > 0) setImmediate(() => react(text))
      return taken
    }
  }
}

/** Finishes as soon as the server has. */
export const polite = (visitor: Visitor): Visitor => {
  after(visitor, "shutdown", () => visitor.fin())
  return visitor
}

/** A client that has so many requests on the way and asks a new one for each answer, in a line of its own and a chunk. */
export class Chatterer {
  readonly visitor: Visitor
  asked = 0

  constructor(town: Town, onTheWay: number, visit: Visit = {}) {
    this.visitor = polite(town.come(visit))
    after(this.visitor, "write", (written) => {
      for (let lines = written.split("\n").length; lines > 1; lines--) this.ask()
    })
    for (let count = 0; count < onTheWay; count++) this.ask()
  }

  ask(): void {
    this.visitor.send(`${this.asked++}\n`)
  }

  /** The answers so far, in order. */
  get answers(): ReadonlyArray<number> {
    return this.visitor.received.split("\n").slice(0, -1).map(Number)
  }
}

/** The numbers below a bound. */
export const below = (bound: number): ReadonlyArray<number> => [...Array(bound).keys()]
