/** One of two workers is killed while clients talk. */
import process from "node:process"
import { setTimeout as sleep } from "node:timers/promises"
import { type Case, using } from "../Case.ts"
import { Program } from "../Program.ts"
import { Regulars } from "../Regulars.ts"
import { Visitors } from "../Visitors.ts"
import { calm, pause } from "./talking.ts"

export const worker: Case = {
  name: "worker",
  title: ({ talking }) => `One of two workers is killed, ${talking} clients talk`,
  measures: [
    { title: "another worker serves in its place", unit: "ms", most: 5_000 },
    { title: "everybody is served as before", unit: "ms" },
    { title: "connections lost, all of them the killed worker's", unit: "" },
    { title: "longest time without a new client served", unit: "ms" },
    { title: "connects refused or reset", unit: "" },
  ],
  run: async (runtime, { talking }) =>
    using(
      await Program.start(runtime, { flags: ["--workers", "2"] }),
      (program) =>
        using(new Regulars(program.port, talking, { pause }), (regulars) =>
          using(new Visitors(program.port), async (visitors) => {
            await regulars.allServed()
            await sleep(calm)
            const victim = program.workers[1]!
            const doomed = regulars.servedBy(victim)
            const killed = performance.now()
            process.kill(victim, "SIGKILL")
            const again = async (): Promise<number> => {
              await program.logged("worker ready", 3)
              return performance.now()
            }
            const restored = async (): Promise<number> => {
              await regulars.until(() =>
                regulars.losses.length >= doomed
              )
              await regulars.allServed()
              return regulars.visits.at(-1)!.served
            }
            const [ready, served] = await Promise.all([again(), restored()])
            await sleep(calm)
            regulars.verify(doomed)
            const others = regulars.losses.filter(({ pid }) => pid !== victim).length
            if (others > 0) throw new Error(`${others} connections were lost of a worker that was not killed`)
            return [
              ready - killed,
              served - killed,
              doomed,
              visitors.longestGap(killed),
              regulars.failed + visitors.failed,
            ]
          })),
    ),
}
