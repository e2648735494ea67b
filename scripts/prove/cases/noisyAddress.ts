/** One address that opens more connections than the server has places, and somebody else who wants one. */
import { setTimeout as sleep } from "node:timers/promises"
import type { Case } from "../Case.ts"
import { Client } from "../Client.ts"
import { rest } from "../Server.ts"

const crowd = 300
const noisy = "127.0.0.2"

export const noisyAddress: Case = {
  name: "noisy-address",
  title: "One address opens 300 connections, 192 descriptors: others are served",
  descriptors: 192,
  run: async (server) => {
    const clients: Array<Client> = []
    for (let count = 0; count < crowd; count++) {
      const client = await Client.open(server.port, false, noisy).catch(() => undefined) // to be refused is an answer
      if (client === undefined) continue
      client.send("hello\n")
      clients.push(client)
    }
    await rest(server, 1_000)
    let answered = false
    for (let attempt = 0; attempt < 10 && !answered; attempt++) {
      const other = await Client.open(server.port).catch(() => undefined)
      answered = await other?.ask("may I?", 200) === true
      other?.close()
      if (!answered) await sleep(50)
    }
    for (const client of clients) client.close()
    return answered ? "ok" : "nobody else is served"
  },
}
