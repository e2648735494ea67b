/** A client that sends everything before it reads anything. */
import type { Case } from "../Case.ts"
import { Client } from "../Client.ts"
import { compare } from "../loss.ts"
import { rest } from "../Server.ts"
import { traffic } from "../traffic.ts"

export const lateReader: Case = {
  name: "late-reader",
  title: "8 MiB of replies, read late",
  run: async (server) => {
    const { requests, replies } = traffic(8 << 20, 16 << 10)
    const client = await Client.open(server.port, true)
    client.send(requests)
    // All is sent by then, or the server has stopped reading: both are right.
    await rest(server)
    client.read()
    if (await client.receive(replies.length)) {
      client.finish()
      await client.end()
    }
    client.close()
    return compare(replies, client.bytes)
  },
}
