/** What was lost, in a few words: the figures of the cells. */
import type { Verdict } from "./Case.ts"
import type { Client } from "./Client.ts"

/** Compares every byte. */
export const compare = (expected: Uint8Array, received: Uint8Array): Verdict => {
  if (Buffer.compare(expected, received) === 0) return "ok"
  const missing = expected.length - received.length
  if (missing > 0) return `${share(missing, expected.length)} lost`
  if (missing < 0) return `${bytes(-missing)} too many`
  return `${bytes(expected.filter((byte, index) => byte !== received[index]).length)} wrong`
}

/** What is wrong with how the server ended a connection behind its last reply. */
export const ending = ({ ending }: Client): Verdict =>
  ending === "fin" ? "ok" : ending === "reset" ? "a reset in place of the FIN" : "no FIN"

/** The first of these that is not `"ok"`, if there is one. */
export const first = (...verdicts: ReadonlyArray<Verdict>): Verdict => verdicts.find((one) => one !== "ok") ?? "ok"

/** "49 % of 8 MiB", or "2,640 bytes" where that is less than a percent. */
const share = (count: number, total: number): string => {
  const percent = Math.round(100 * count / total)
  if (percent < 1) return bytes(count)
  return `${percent} % of ${total < 1 << 20 ? bytes(total) : `${Math.round(total / (1 << 20))} MiB`}`
}

const bytes = (count: number): string => count === 1 ? "1 byte" : `${count.toLocaleString("en")} bytes`
