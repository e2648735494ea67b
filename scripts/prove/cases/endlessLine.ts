/** A line that does not end. */
import type { Case } from "../Case.ts"
import { Client } from "../Client.ts"
import { flood } from "../flood.ts"

export const endlessLine: Case = {
  name: "endless-line",
  title: "128 MiB without a newline: memory, other clients",
  run: async (server) => flood(server, await Client.open(server.port), Buffer.alloc(1 << 20, "x"), 128),
}
