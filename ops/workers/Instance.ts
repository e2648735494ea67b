/**
 * What the admin endpoint of a supervisor answers from: all workers as one instance.
 *
 * The instance is ready while one worker is. What a worker says of itself counts for 5 s after it was asked in vain; what
 * the supervisor knows of it by itself, such as that it drains, comes first.
 */
import * as Effect from "effect/Effect"
import { counter, type Family, gauge, series } from "../admin/exposition.ts"
import type { Check } from "../admin/readiness.ts"
import type { Rolled, Sources } from "../admin/routes.ts"
import type { Ledger } from "./Ledger.ts"
import type { Member, Supervisor } from "./Supervisor.ts"

/** A worker that has not answered for so many milliseconds is stale: it hangs, or it was stopped. */
const staleMillis = 5_000

const states = ["ready", "unready", "starting", "draining", "stale"] as const

/** A member, and what is wrong with it; undefined when nothing is. */
interface Found {
  readonly member: Member
  readonly state: typeof states[number]
  readonly problem: string | undefined
}

/** The sources of the workers of this supervisor, whose accounts are in this ledger. */
export const sources = (supervisor: Supervisor, ledger: Ledger): Sources => {
  const found = Effect.suspend(() => Effect.forEach(supervisor.members, find))
  /** Who starts has nothing to tell yet; who ends does not answer any more. */
  const asked = Effect.suspend(() =>
    Effect.forEach(
      supervisor.members.filter(({ ready }) => ready !== undefined),
      ({ worker }) => Effect.raceFirst(worker.inquiry.ask, worker.ended),
      { concurrency: "unbounded", discard: true },
    )
  ).pipe(Effect.andThen(found))
  const isReady = (found: ReadonlyArray<Found>): boolean =>
    !supervisor.ending && found.some(({ state }) => state === "ready")
  return {
    readiness: Effect.map(asked, (found) => ({ ready: isReady(found), checks: checks(supervisor, found) })),
    families: Effect.map(asked, (found) => {
      const own = ownFamilies(supervisor, isReady(found), found)
      const names = new Set(own.map(({ name }) => name))
      const accounts = found.flatMap(({ member }) => member.worker.inquiry.last ?? [])
      return [...own, ...ledger.families(accounts).filter(({ name }) => !names.has(name))]
    }),
    roll: Effect.map(supervisor.roll, (rolled): Rolled => {
      switch (rolled._tag) {
        case "Done": {
          const { workers, replaced, forced } = rolled
          return { status: 200, text: `done: ${replaced} workers replaced by ${workers}, ${forced} of them forced` }
        }
        case "Refused":
          return { status: 409, text: `refused: ${rolled.why}` }
        case "Failed":
          return { status: 500, text: `failed: ${rolled.how}` }
      }
    }),
  }
}

const find = Effect.fnUntraced(function* (member: Member): Effect.fn.Return<Found> {
  const { last, silence } = member.worker.inquiry
  const silent = yield* silence
  if (member.draining || last?.draining) return { member, state: "draining", problem: "draining" }
  if (member.ready === undefined) return { member, state: "starting", problem: "starting" }
  if (silent >= staleMillis) {
    return { member, state: "stale", problem: `has not answered for ${(silent / 1_000).toFixed()} s` }
  }
  if (last !== undefined && last.problems.length > 0) {
    return { member, state: "unready", problem: last.problems.join("; ") }
  }
  return { member, state: "ready", problem: undefined }
})

const checks = ({ count, ending }: Supervisor, found: ReadonlyArray<Found>): ReadonlyArray<Check> => {
  const numbers = Array.from({ length: count }, (_, index) => index + 1)
  return [
    { name: "drain", problem: ending ? `ending, ${found.length} workers are left` : undefined },
    ...numbers.flatMap((number): ReadonlyArray<Check> => {
      const here = found.filter(({ member }) => member.number === number)
      if (here.length === 0) return [{ name: `worker ${number}`, problem: "is not running" }]
      return here.map(({ member, problem }) => ({ name: `worker ${number} (pid ${member.worker.pid})`, problem }))
    }),
  ]
}

const ownFamilies = (
  { ending, counts: { restarts, rolls } }: Supervisor,
  ready: boolean,
  found: ReadonlyArray<Found>,
): ReadonlyArray<Family> => [
  gauge("ready", "Whether /readyz answers 200.", Number(ready)),
  gauge("draining", "Whether a drain has begun.", Number(ending)),
  gauge(
    "workers",
    "Worker processes by what they are doing; stale ones do not answer, and count with what they said last.",
    series("state", states.map((state) => [state, found.filter((each) => each.state === state).length])),
  ),
  counter("worker_restarts_total", "Times that a worker was started again that had ended by itself.", restarts),
  counter(
    "rolling_restarts_total",
    "Rolling restarts, by how they went.",
    series("result", Object.entries(rolls).map(([tag, count]) => [tag.toLowerCase(), count])),
  ),
]
