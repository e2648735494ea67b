/**
 * Clients and the service together use up the descriptors, and then the clients go.
 *
 * The program lowers its limit of connections to the descriptors that it finds when it starts, where it can read that. So
 * the service takes some more here, and what happens is what the runtime and its adapter make of a failed accept.
 */
import { readdirSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { connect } from "../../../test/conformance/wire/client.ts"
import { cpuSeconds } from "../../child.ts"
import { type Case, using } from "../Case.ts"
import { Program, within } from "../Program.ts"
import { Regulars } from "../Regulars.ts"
import { Visitors } from "../Visitors.ts"

const limit = 128
/** What Bun's adapter does not give to clients. */
const spare = 8
/** For how long the CPU time is taken, in milliseconds. */
const observed = 2_000
/** Those whom nobody lets in try again after so many milliseconds. */
const retry = 1_000

export const descriptors: Case = {
  name: "descriptors",
  title: ({ talking }) => `${talking} clients take all of ${limit} descriptors, and go`,
  measures: [
    { title: "a new client is served", unit: "ms" },
    { title: "CPU while there is none, of a core", unit: "%" },
  ],
  run: async (runtime, { talking }) =>
    using(await Program.start(runtime, { descriptors: limit }), async (program) => {
      const first = await connect(program.port)
      const ask = (line: string): Promise<string> => within(5_000, first.ask(line), () => `no answer to ${line}`)
      await ask("hold")
      const used = await using(new Regulars(program.port, talking, { retry }), async () => {
        await taken(program.pid)
        await sleep(500)
        const before = cpuSeconds(program.pid)
        await sleep(observed)
        const used = cpuSeconds(program.pid) - before
        if (await ask("still there?") !== `${program.pid}: still there?`) throw new Error("who was there is not served")
        return used
      })
      const free = performance.now()
      return using(new Visitors(program.port), async (visitors) => {
        const served = await visitors.servedSince(free)
        first.socket.destroy()
        return [served - free, 100 * used / (observed / 1_000)]
      })
    }),
}

const taken = async (pid: number): Promise<void> => {
  const count = (): number => readdirSync(`/proc/${pid}/fd`).length
  const end = performance.now() + 5_000
  while (count() < limit - spare) {
    if (performance.now() > end) throw new Error(`only ${count()} of ${limit} descriptors were taken in 5 s`)
    await sleep(20)
  }
}
