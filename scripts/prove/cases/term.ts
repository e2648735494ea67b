/**
 * SIGTERM while requests are in flight. The server is held for a moment, as a long pause of its garbage collector would
 * hold it; meanwhile 40 clients send 64 KiB each, then the signal is sent. So all of that has been received when the
 * signal is, and nothing of it has been answered. 10 more clients read a large reply that they asked for before.
 */
import { setTimeout as sleep } from "node:timers/promises"
import type { Case, Verdict } from "../Case.ts"
import { Client } from "../Client.ts"
import { file } from "../file.ts"
import { compare, ending, first } from "../loss.ts"
import { rest, type Server } from "../Server.ts"
import { traffic } from "../traffic.ts"

/** The server has a lot to do: on a busy machine that takes its time. */
const patience = 10_000

export const term: Case = {
  name: "term",
  title: "SIGTERM with 50 clients in flight: all answered, exit 0",
  ends: true,
  run: async (server) => {
    const readers = await crowd(server, 10, true)
    for (const client of readers) client.send("file\n")
    const askers = await crowd(server, 40)
    const met = await Promise.all(askers.map((client) => client.ask("hello", patience)))
    if (met.includes(false)) return "clients were not served before the signal"
    await rest(server)
    const { requests, replies } = traffic(64 << 10, 1 << 10)
    server.signal("SIGSTOP")
    for (const client of askers) client.send(requests)
    const taken = askers.every(({ unsent }) => unsent === 0)
    server.signal("SIGTERM")
    server.signal("SIGCONT")
    if (!taken) return "the kernel did not take the requests"
    for (const client of readers) client.read()
    const wanted = Buffer.concat([Buffer.from("echo: hello\n"), replies])
    const verdicts = await Promise.all([
      ...askers.map((client) => farewell(client, wanted)),
      ...readers.map((client) => farewell(client, Buffer.from(`${file}\n`))),
    ])
    const cut = verdicts.filter((one) => one !== "ok").length
    if (cut > 0) return `${cut} of ${verdicts.length} clients cut off`
    const code = await Promise.race([server.ended, sleep(patience, "never", { ref: false })])
    return code === 0 ? "ok" : `exit code ${code}`
  },
}

const crowd = (server: Server, count: number, paused?: boolean): Promise<ReadonlyArray<Client>> =>
  Promise.all(Array.from({ length: count }, () => Client.open(server.port, paused)))

/** Whether a client gets all that it wanted, and then the server's FIN; it finishes behind the server. */
const farewell = async (client: Client, wanted: Uint8Array): Promise<Verdict> => {
  await client.end(patience)
  client.finish()
  return first(compare(wanted, client.bytes), ending(client))
}
