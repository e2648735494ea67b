/** A server of one process is killed and started again at once, as a service manager does. */
import { setTimeout as sleep } from "node:timers/promises"
import { type Case, using } from "../Case.ts"
import { Program } from "../Program.ts"
import { Regulars } from "../Regulars.ts"
import { Visitors } from "../Visitors.ts"
import { calm, pause } from "./talking.ts"

export const restart: Case = {
  name: "restart",
  title: ({ talking }) => `The only process is killed and started again at once, ${talking} clients talk`,
  measures: [
    { title: "the first client is served", unit: "ms" },
    { title: "everybody is served as before", unit: "ms" },
    { title: "connections lost", unit: "" },
  ],
  run: async (runtime, { talking }) =>
    using(
      await Program.start(runtime),
      (program) =>
        using(new Regulars(program.port, talking, { pause }), (regulars) =>
          using(new Visitors(program.port), async (visitors) => {
            await regulars.allServed()
            await sleep(calm)
            const killed = performance.now()
            await program.stop()
            const ended = performance.now()
            return using(await Program.start(runtime, { port: program.port }), async () => {
              const first = await visitors.servedSince(ended)
              await regulars.until(() =>
                regulars.losses.length >= talking
              )
              await regulars.allServed()
              regulars.verify(talking)
              return [first - killed, regulars.visits.at(-1)!.served - killed, talking]
            })
          })),
    ),
}
