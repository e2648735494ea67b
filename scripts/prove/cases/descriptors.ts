/** More clients than the server has file descriptors for. */
import { setTimeout as sleep } from "node:timers/promises"
import { cpuSeconds } from "../../child.ts"
import type { Case } from "../Case.ts"
import { Client } from "../Client.ts"
import { rest, type Server } from "../Server.ts"

/** The share of a core above which a server spins that has nothing to do. One that does takes all of it. */
const calm = 0.3

export const descriptors: Case = {
  name: "descriptors",
  title: "200 clients, 64 descriptors: no spinning, and recovery",
  descriptors: 64,
  run: async (server) => {
    const first = await Client.open(server.port)
    if (!await first.ask("first")) return "the first client was not served"
    const crowd: Array<Client> = []
    for (let count = 0; count < 200; count++) {
      const client = await Client.open(server.port).catch(() => undefined) // to be refused is an answer
      if (client === undefined) continue
      client.send("hello\n")
      crowd.push(client)
    }
    await rest(server, 1_000)
    const before = cpuSeconds(server.pid)
    await sleep(1_000)
    const load = cpuSeconds(server.pid) - before
    const inside = [first, ...crowd.filter(({ received, ending }) => received > 0 && ending === undefined)]
    const answers = await Promise.all(inside.map((client) => client.ask("still there?")))
    for (const client of [first, ...crowd]) client.close()
    if (answers.includes(false)) return `${answers.filter((one) => !one).length} of ${answers.length} clients lost`
    if (load > calm) return `spins at ${Math.min(100, Math.round(100 * load))} % of a core`
    return await recovers(server) ? "ok" : "serves nobody any more"
  },
}

/** Whether somebody new is served, within a few seconds. */
const recovers = async (server: Server): Promise<boolean> => {
  for (let attempt = 0; attempt < 50; attempt++) {
    const client = await Client.open(server.port).catch(() => undefined)
    const answered = await client?.ask("anybody?", 100)
    client?.close()
    if (answered === true) return true
    await sleep(20)
  }
  return false
}
