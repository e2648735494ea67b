/** A client that asks and never reads an answer. */
import type { Case } from "../Case.ts"
import { Client } from "../Client.ts"
import { flood } from "../flood.ts"
import { traffic } from "../traffic.ts"

export const slowReader: Case = {
  name: "slow-reader",
  title: "256 MiB of replies that nobody reads: memory, other clients",
  run: async (server) => {
    const { requests } = traffic(1 << 20, 1 << 10)
    return flood(server, await Client.open(server.port, true), requests, 256)
  },
}
