import { describe, expect, it } from "vitest"
import * as Plan from "../../bench/Plan.ts"
import type { Contender, Family, RuntimeName, Trial } from "../../bench/Result.ts"
import { all, highest, own, roleOf } from "../../bench/Scenarios.ts"

const families: ReadonlyArray<readonly [string, Family]> = [
  ["anyport", "anyport"],
  ["anyport-plain", "anyport"],
  ["anyport-session", "anyport"],
  ["anyport-suspend", "anyport"],
  ["anyport-length", "anyport"],
  ["anyport-policies", "anyport"],
  ["anyport-unpooled", "anyport"],
  ["anyport-file", "anyport"],
  ["empty", "hand"],
  ["hand", "hand"],
  ["hand-length", "hand"],
  ["naive", "naive"],
  ["effect", "effect"],
  ["effect-suspend", "effect"],
]
const contender = (id: string, family: Family, runtime?: RuntimeName): Contender => ({
  id,
  title: id,
  family,
  command: id,
  ...runtime === undefined ? {} : { runtime },
})
const onRuntimes = (["node", "bun", "deno"] as const).flatMap((runtime) =>
  families.map(([role, family]) => contender(`${role}-${runtime}`, family, runtime))
)
const everybody = [...onRuntimes, contender("go", "go"), contender("go-seed", "go"), contender("c", "c")]

const full = (options: Partial<Plan.Options> = {}): Plan.Plan =>
  Plan.make({ drafts: all(1), contenders: everybody, seed: 7, quick: false, ...options })

const cell = (plan: Plan.Plan, id: string) => plan.cells.find((cell) => cell.id === id)

describe("a plan", () => {
  it("has all who answer lines in the cells of 64 B over 50 connections, seven times", () => {
    for (const id of ["echo-lines-64-50x1", "echo-lines-64-50x16"]) {
      const { contenders = [], trials } = cell(full(), id) ?? {}
      expect(trials).toBe(7)
      expect(contenders).toEqual(
        everybody.map(({ id }) => id).filter((id) => !/length|unpooled|file|empty/.test(id)),
      )
    }
  })

  it("has only Anyport and the hand-written server in all other echoes, five times", () => {
    const others = full().cells.filter(({ id }) => /^echo-lines-(?!64-50x)/.test(id))
    expect(others).toHaveLength(16)
    for (const { contenders, trials } of others) {
      expect(trials).toBe(5)
      expect(contenders.toSorted()).toEqual(
        ["anyport-bun", "anyport-deno", "anyport-node", "hand-bun", "hand-deno", "hand-node"],
      )
    }
  })

  it("has a cell for every scenario that this machine carries", () => {
    const scenarios = (cores: number) => new Set(full({ drafts: all(cores) }).cells.map(({ scenario }) => scenario))
    const always = ["echo", "churn", "allocation", "idle", "start", "latency", "frozen"]
    expect([...scenarios(1)].toSorted()).toEqual(always.toSorted())
    expect([...scenarios(2)].toSorted()).toEqual([...always, "workers"].toSorted())
  })

  it("makes every trial once, round by round, those of a cell and round next to each other", () => {
    const { cells, steps } = full()
    const keys = steps.map(({ cell, contender, round }) => `${cell} ${contender} ${round}`)
    const wanted = cells.flatMap(({ id, contenders, trials }) =>
      contenders.flatMap((contender) => Array.from({ length: trials }, (_, round) => `${id} ${contender} ${round + 1}`))
    )
    expect(keys.toSorted()).toEqual(wanted.toSorted())
    const runs = steps.filter((step, index) => {
      const before = steps[index - 1]
      return before === undefined || before.cell !== step.cell || before.round !== step.round
    })
    expect(runs).toHaveLength(cells.reduce((sum, { trials }) => sum + trials, 0))
  })

  it("is in another order with another seed, and in the same one with the same", () => {
    expect(full().steps).toEqual(full().steps)
    expect(full({ seed: 8 }).steps).not.toEqual(full().steps)
    const [first, second] = [1, 2].map((round) =>
      full().steps.filter((step) => step.cell === highest && step.round === round).map(({ contender }) => contender)
    )
    expect(first).not.toEqual(second)
    expect(first!.toSorted()).toEqual(second!.toSorted())
  })

  it("comes to schedules after all that say what a contender reaches", () => {
    const { steps, cells } = full()
    const isShare = (id: string) => cells.find((cell) => cell.id === id)!.share !== undefined
    const firstShare = steps.findIndex(({ cell }) => isShare(cell))
    expect(steps.slice(firstShare).every(({ cell }) => isShare(cell))).toBe(true)
  })

  it("measures what a contender reaches, though only a schedule is asked for", () => {
    const plan = full({ only: ["latency"] })
    expect(new Set(plan.cells.map(({ scenario }) => scenario))).toEqual(new Set(["latency", "echo"]))
    expect(cell(plan, highest)!.contenders.toSorted()).toEqual(cell(plan, "latency-50")!.contenders.toSorted())
  })

  it("has only what is asked for, by scenario or by cell", () => {
    expect(full({ only: ["churn", "idle-1000"] }).cells.map(({ id }) => id)).toEqual(["churn-50", "idle-1000"])
  })

  it("is done in three minutes when it is quick, with Anyport and the hand-written servers in it", () => {
    const plan = full({ quick: true })
    expect(Plan.duration(plan)).toBeLessThan(180)
    expect(plan.cells.map(({ id }) => id)).toEqual(["echo-lines-64-50x1", "echo-lines-64-50x16", "idle-1000", "start"])
    expect(cell(plan, highest)!.contenders).toEqual(expect.arrayContaining(["anyport-bun", "hand-deno", "c", "go"]))
    expect(plan.contenders.map(({ id }) => id)).not.toContain("naive-node")
  })

  it("has nothing but the service when one brings one's own", () => {
    const mine = [contender("service-bun", "custom", "bun")]
    const plan = full({ drafts: [own("my.ts", "sim.ts")], contenders: [...everybody, ...mine], quick: true })
    expect(plan.cells).toMatchObject([{ id: "service", contenders: ["service-bun"], trials: 3 }])
  })

  it("gives other versions of a runtime the place of the runtime", () => {
    expect(roleOf(contender("anyport-session-bun@1.3", "anyport", "bun"))).toBe("anyport-session")
    const plan = full({ contenders: [...everybody, contender("hand-bun@1.3", "hand", "bun")] })
    expect(cell(plan, "churn-50")!.contenders).toContain("hand-bun@1.3")
  })
})

const made = (step: Plan.Step, why: ReadonlyArray<string> = []): Trial => ({
  ...step,
  startedAt: "",
  void: why,
  notes: [],
  measures: {},
})
const disturbed = ["others took 8 %"]

describe("what is left of a plan", () => {
  const plan = full({
    only: ["start"],
    trials: 2,
    contenders: everybody.filter(({ id }) => /^anyport(-file)?-node/.test(id)),
  })
  const [first, second] = plan.steps as [Plan.Step, Plan.Step]

  it("is exactly what was not made, in order", () => {
    expect(plan.steps).toHaveLength(4)
    expect(Plan.left(plan, [])).toEqual(plan.steps)
    expect(Plan.left(plan, [made(second)])).toEqual(plan.steps.filter((step) => step !== second))
    expect(Plan.left(plan, plan.steps.map((step) => made(step)))).toEqual([])
  })

  it("ends with what did not count, twice at most", () => {
    const failed = made(first, disturbed)
    expect(Plan.left(plan, [failed])).toEqual([...plan.steps.slice(1), first])
    expect(Plan.left(plan, [failed, failed]).at(-1)).toEqual(first)
    expect(Plan.left(plan, [failed, failed, failed])).toEqual(plan.steps.slice(1))
    expect(Plan.left(plan, [failed, made(first)])).toEqual(plan.steps.slice(1))
  })

  it("has nothing of whom is asked no more", () => {
    const others = plan.steps.filter(({ contender }) => contender !== first.contender)
    expect(Plan.left(plan, [], (contender) => contender === first.contender)).toEqual(others)
  })

  it("repeats what did not count before the schedules that are a share of it", () => {
    const plan = full({ only: ["latency-50"], trials: 1, contenders: everybody.slice(0, 1) })
    const [reached, scheduled] = plan.steps as [Plan.Step, Plan.Step]
    expect([reached.cell, scheduled.cell]).toEqual([highest, "latency-50"])
    expect(Plan.left(plan, [made(reached, disturbed)])).toEqual([{ ...reached, round: 2 }, scheduled])
  })
})

describe("by turns", () => {
  const three = everybody.filter(({ id }) => /^(anyport|hand|naive)-node/.test(id))
  const plan = full({ only: [highest], trials: 5, contenders: three })
  const round = (number: number) => plan.steps.filter((step) => step.round === number)

  it("all contenders of a round are measured at once, and all others alone", () => {
    expect(Plan.together(plan, plan.steps).map(({ contender }) => contender).toSorted()).toEqual(
      three.map(({ id }) => id).toSorted(),
    )
    expect(new Set(Plan.together(plan, plan.steps).map(({ round }) => round)).size).toBe(1)
    const alone = full({ only: ["start"] })
    expect(Plan.together(alone, alone.steps)).toEqual(alone.steps.slice(0, 1))
    expect(Plan.together(plan, [])).toEqual([])
  })

  it("nobody is measured again alone: a round of all is added while one has too few trials that count, at most two", () => {
    const victim = plan.steps[0]!.contender
    const trials = (voids: ReadonlyArray<number>, rounds = 5): ReadonlyArray<Trial> =>
      Array.from({ length: rounds }, (_, index) => index + 1).flatMap((number) =>
        round(1).map((step) => {
          const isVoid = step.contender === victim && voids.includes(number)
          return made({ ...step, round: number }, isVoid ? disturbed : [])
        })
      )
    expect(Plan.left(plan, trials([1, 2]))).toEqual([]) // three of five do
    const added = Plan.left(plan, trials([1, 2, 3]))
    expect(added.map(({ contender }) => contender).toSorted()).toEqual(three.map(({ id }) => id).toSorted())
    expect(new Set(added.map(({ round }) => round))).toEqual(new Set([6]))
    expect(Plan.left(plan, trials([1, 2, 3], 6))).toEqual([])
    expect(Plan.left(plan, trials([1, 2, 3, 6], 6)).map(({ round }) => round)).toEqual([7, 7, 7])
    expect(Plan.left(plan, trials([1, 2, 3, 6, 7], 7))).toEqual([])
    expect(Plan.left(plan, trials([1, 2, 3]), (contender) => contender === victim)).toEqual([])
  })
})
