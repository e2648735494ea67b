/** The listener over an inherited descriptor, with sockets that are none. */
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { adopt, adoptedAddress } from "../../adapters/AdoptedListener.ts"
import * as Address from "../../core/Address.ts"
import type { Transport } from "../../core/Sockets.ts"

it("turns away whoever comes while it is paused, and closes the descriptor once", () =>
  Effect.runPromise(Effect.scoped(Effect.gen(function* () {
    const seen: Array<string> = []
    let come = (_: Transport): void => {}
    const listener = yield* adopt(
      () => seen.push("accepted"),
      (accept) => Effect.sync(() => void (come = accept)),
      () => Address.tcp("127.0.0.1", 9_000),
      () => seen.push("closed"),
    )
    const client = { abort: () => seen.push("reset") } as unknown as Transport // nothing else is asked of it
    const trace = (name: string): void => void seen.push(name)
    come(client)
    trace("pause")
    listener.pause()
    listener.pause()
    come(client)
    trace("resume")
    yield* listener.resume
    come(client)
    yield* listener.close
    yield* listener.close
    listener.pause()
    yield* listener.resume
    come(client)
    expect(seen).toEqual(["accepted", "pause", "reset", "resume", "accepted", "closed", "reset"])
  }))))

it.each([
  ["what the runtime says of TCP", Address.tcp("::", 0), { address: "127.0.0.1", port: 9_000 }, "127.0.0.1:9000"],
  ["the path that was known", Address.unix("/run/a.sock"), null, "unix:/run/a.sock"],
  ["a path that nobody knows", Address.tcp("::", 0), {}, "unix:"],
])("is bound to %s", (_, known, bound, expected) => {
  expect(Address.format(adoptedAddress(known, bound))).toBe(expected)
})
