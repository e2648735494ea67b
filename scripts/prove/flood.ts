/** What it costs a server, and another client of it, that somebody sends as much as he can. */
import { setTimeout as sleep } from "node:timers/promises"
import { memory } from "../child.ts"
import type { Verdict } from "./Case.ts"
import { Client } from "./Client.ts"
import { rest, type Server } from "./Server.ts"

/** The longest that it lasts, in milliseconds. */
const duration = 4_000
/** The longest that the other client may wait for an answer, in milliseconds. A server that is busy needs tens of them. */
const acceptable = 1_000

/**
 * Sends a piece of 1 MiB as many `times`, or until the connection ends or takes nothing for a second. The server must not
 * have needed more memory, at its peak, than half of what was to be sent: one that keeps nothing is seen to need up to
 * 50 MiB, one that keeps all of it from 240 MiB.
 */
export const flood = async (server: Server, client: Client, piece: Uint8Array, times: number): Promise<Verdict> => {
  const before = memory(server.pid).now
  const deadline = performance.now() + duration
  let over = false
  const waited = watch(await Client.open(server.port), () => over)
  for (let sent = 0; sent < times && client.ending === undefined && performance.now() < deadline; sent++) {
    if (!client.send(piece) && !await client.until(() => client.unsent === 0, 1_000)) break
  }
  await rest(server, 500)
  over = true
  const longest = await waited
  const growth = memory(server.pid).peak - before
  client.close()
  const losses = [
    ...growth > times / 2 ? [`memory grew by ${Math.round(growth)} MiB`] : [],
    ...longest > acceptable
      ? [`others waited ${longest === Infinity ? "in vain" : `${(longest / 1_000).toFixed(1)} s`}`]
      : [],
  ]
  return losses.length === 0 ? "ok" : losses.join(", ")
}

/** Asks again and again; the longest wait for an answer, Infinity when one did not come within 5 s or was wrong. */
const watch = async (client: Client, over: () => boolean): Promise<number> => {
  let longest = 0
  for (let count = 0; !over() && longest < Infinity; count++) {
    const asked = performance.now()
    const answered = await client.ask(`are you there? ${count}`, 5_000)
    longest = answered ? Math.max(longest, performance.now() - asked) : Infinity
    await sleep(20)
  }
  client.close()
  return longest
}
