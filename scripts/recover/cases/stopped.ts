/** The process is stopped for a while, as by a machine that is suspended, and goes on. */
import { setTimeout as sleep } from "node:timers/promises"
import { type Case, using } from "../Case.ts"
import { Program } from "../Program.ts"
import { type Answer, Regulars } from "../Regulars.ts"
import { pause } from "./talking.ts"

const stop = 3_000
/** For how long the rate is taken before, and waited for after, in milliseconds. */
const observed = 1_000
/** In which there have to be as many answers as on average before, less a tenth, in milliseconds. */
const part = 100

export const stopped: Case = {
  name: "stopped",
  title: ({ talking }) => `The process stands still for ${stop / 1_000} s, ${talking} clients talk`,
  measures: [
    { title: "everybody is answered", unit: "ms" },
    { title: "answers come at their rate again", unit: "ms" },
    { title: "connections lost", unit: "" },
  ],
  run: async (runtime, { talking }) =>
    using(
      await Program.start(runtime),
      (program) =>
        using(new Regulars(program.port, talking, { pause }), async (regulars) => {
          await regulars.allServed()
          await sleep(observed / 2)
          const calm = regulars.answers.length
          await sleep(observed)
          const before = (regulars.answers.length - calm) * part / observed
          program.signal("SIGSTOP")
          await sleep(stop)
          const on = performance.now()
          program.signal("SIGCONT")
          await sleep(observed)
          regulars.verify(0)
          const answers = regulars.answers.filter(({ at }) => at >= on).map(({ at, name }) => ({ at: at - on, name }))
          const [first, further] = apart(answers)
          if (first.length < talking) {
            throw new Error(`${first.length} of ${talking} clients were answered in ${observed} ms`)
          }
          return [first.at(-1)!, backAt(further, 0.9 * before), 0]
        }),
    ),
}

/** When each was answered first, which is what had piled up; and when they got the answers after that. */
export const apart = (answers: ReadonlyArray<Answer>): [first: Array<number>, further: Array<number>] => {
  const met = new Set<number>()
  const [first, further]: [Array<number>, Array<number>] = [[], []]
  for (const { at, name } of answers) {
    if (met.has(name)) further.push(at)
    else first.push(at)
    met.add(name)
  }
  return [first, further]
}

/** The first of these times from which on there are so many in a part; NaN when there is none. */
export const backAt = (times: ReadonlyArray<number>, wanted: number): number =>
  times.find((from) => times.filter((time) => time >= from && time < from + part).length >= wanted) ?? NaN
