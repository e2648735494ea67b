/** The server was started again, and all clients that it had connect at the same moment. */
import { type Case, using } from "../Case.ts"
import { Program } from "../Program.ts"
import { quantile, Regulars, type Visit } from "../Regulars.ts"

/** What is measured of those who come back. */
export const measures = [
  { title: "everybody is served again", unit: "ms" },
  { title: "a client's connect, p99", unit: "ms" },
  { title: "a client's first answer, p99", unit: "ms" },
  { title: "connects refused or reset", unit: "" },
] as const

/** It, of visits since a time. */
export const measured = (visits: ReadonlyArray<Visit>, since: number, failed: number): ReadonlyArray<number> => [
  Math.max(...visits.map(({ served }) => served)) - since,
  quantile(visits.map(({ began, connected }) => connected - began), 0.99),
  quantile(visits.map(({ began, served }) => served - began), 0.99),
  failed,
]

export const storm: Case = {
  name: "storm",
  title: ({ returning }) =>
    `${returning.toLocaleString("en-US")} clients are back all at once, after the server was killed`,
  measures,
  run: async (runtime, { returning }) =>
    using(await Program.start(runtime), (program) =>
      using(new Regulars(program.port, returning), async (regulars) => {
        await regulars.allServed()
        regulars.stayAway()
        await program.stop()
        await regulars.until(() => regulars.losses.length === returning)
        return using(await Program.start(runtime, { port: program.port }), async () => {
          const [before, failed] = [regulars.visits.length, regulars.failed]
          const back = performance.now()
          regulars.comeBack()
          await regulars.allServed()
          regulars.verify(returning)
          return measured(regulars.visits.slice(before), back, regulars.failed - failed)
        })
      })),
}
