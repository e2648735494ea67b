/** A large reply behind which the server closes, to a client that reads it late, and to one that goes on sending. */
import type { Case, Verdict } from "../Case.ts"
import { Client } from "../Client.ts"
import { file } from "../file.ts"
import { compare, ending, first } from "../loss.ts"
import { rest, type Server } from "../Server.ts"
import { traffic } from "../traffic.ts"

export const lastReply: Case = {
  name: "last-reply",
  title: "8 MiB, then close, while the client still sends",
  run: async (server) => {
    const quiet = await fetch(server, Buffer.alloc(0))
    return quiet !== "ok" ? quiet : fetch(server, traffic(1 << 20, 1 << 10).requests)
  },
}

const fetch = async (server: Server, meanwhile: Uint8Array): Promise<Verdict> => {
  const reply = Buffer.from(`${file}\n`)
  const client = await Client.open(server.port, true)
  client.send("file\n")
  await rest(server)
  client.send(meanwhile)
  await rest(server)
  client.read()
  if (await client.receive(reply.length)) await client.end()
  client.close()
  return first(compare(reply, client.bytes), ending(client))
}
