/** A client that finishes with its requests before it has any reply, as `printf … | nc` does. */
import type { Case, Verdict } from "../Case.ts"
import { Client } from "../Client.ts"
import { file } from "../file.ts"
import { compare, ending, first } from "../loss.ts"
import type { Server } from "../Server.ts"
import { traffic } from "../traffic.ts"

export const halfClose: Case = {
  name: "half-close",
  title: "A few lines, then a request for 8 MiB, each with the client's FIN",
  run: async (server) => {
    const { requests, replies } = traffic(200, 1 << 10)
    const verdicts = [await exchange(server, requests, replies)]
    // Whether the FIN is seen before the reply is written is a matter of luck.
    const whole = Buffer.from(`${file}\n`)
    for (let turn = 0; turn < 8; turn++) verdicts.push(await exchange(server, "file\n", whole))
    return first(...verdicts)
  },
}

const exchange = async (server: Server, requests: string | Uint8Array, replies: Uint8Array): Promise<Verdict> => {
  const client = await Client.open(server.port)
  client.send(requests)
  client.finish()
  await client.end()
  client.close()
  return first(compare(replies, client.bytes), ending(client))
}
