/** What several scenarios do and ask for. */
import { strict as assert } from "node:assert"
import type { Client } from "../../client.ts"

/** The same by so many clients at once; what each came to. */
export const each = <A>(count: number, act: (index: number) => Promise<A>): Promise<ReadonlyArray<A>> =>
  Promise.all(Array.from({ length: count }, (_, index) => act(index)))

/** Both services, by turns. */
export const either = (index: number): "respond" | "session" => index % 2 === 0 ? "respond" : "session"

/** Waits for the server's end of a connection, then leaves. */
export const ended = async (client: Client): Promise<void> => {
  await client.ended()
  client.socket.destroy()
}

/** That connections ended for none but these reasons. */
export const only = (closed: Readonly<Record<string, number>>, ...reasons: ReadonlyArray<string>): void => {
  const others = Object.entries(closed).filter(([reason]) => !reasons.includes(reason))
  assert.deepEqual(others, [], `connections ended for other reasons than ${reasons.join(", ")}`)
}

/** That bytes are those; an assertion on megabytes would take seconds to say no. */
export const same = (actual: Uint8Array, expected: Uint8Array, what: string): void =>
  assert.ok(
    Buffer.compare(actual, expected) === 0,
    `${what} is ${actual.length} bytes, not the ${expected.length} sent`,
  )
