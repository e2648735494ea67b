/** What is said of two results: what changed, and first what keeps it from being told. */
import { expect, it } from "vitest"
import { type Change, compare, text } from "../../bench/Compare.ts"
import { altered, quiet, result, slowed } from "./results.ts"

const takes = (id: string): boolean => ["hand-bun", "anyport-bun", "hand-node", "anyport-node"].includes(id)
const before = result({ takes, seed: 1, voids: 0 })

const outcomes = (changes: ReadonlyArray<Change>, outcome: Change["outcome"]): ReadonlyArray<Change> =>
  changes.filter((change) => change.outcome === outcome)

it("a result has not changed against itself", () => {
  const { differences, changes } = compare(before, before)
  expect(differences).toEqual([])
  expect(changes.every(({ outcome }) => outcome === "no difference shown")).toBe(true)
  expect(text({ differences, changes })).toMatch(
    /^0 changes shown, \d+ without a difference shown, 0 that cannot be told/,
  )
})

it("what another seed measured of the same programs is seldom a change", () => {
  const { changes } = compare(before, result({ takes, seed: 2, voids: 0 }))
  const changed = changes.length - outcomes(changes, "no difference shown").length
  expect(changed / changes.length).toBeLessThan(0.25)
})

it("a slower program is worse, against the hand-written one too, and a faster one is better", () => {
  const slower = result({ takes, seed: 3, voids: 0, slower: (id) => id === "anyport-bun" ? 1.2 : 1 })
  const of = (changes: ReadonlyArray<Change>): Change =>
    changes.find(({ contender, cell }) =>
      contender === "Anyport on Bun" && cell === "64 B lines, 50 connections, 1 in flight"
    )!
  const worse = of(compare(before, slower).changes)
  expect(worse.outcome).toBe("worse")
  expect(worse.ratio!.median).toBeCloseTo(1.2, 1)
  expect(worse.againstHand!.median).toBeCloseTo(1.2, 1)
  expect(of(compare(slower, before).changes).outcome).toBe("better")
})

it("a slower machine shows against nobody who was written by hand", () => {
  const slow = result({ takes, seed: 4, voids: 0, slower: () => 1.3 })
  const { changes } = compare(before, slow)
  const ours = changes.filter(({ contender, againstHand }) =>
    contender.startsWith("Anyport") && againstHand !== undefined
  )
  expect(ours.length).toBeGreaterThan(10)
  expect(ours.filter(({ againstHand }) => againstHand!.low > 1 || againstHand!.high < 1).length).toBeLessThan(
    ours.length / 4,
  )
})

it("another machine, version or generator is said first and loudly", () => {
  const other = {
    ...before,
    machine: { ...before.machine, CPU: "another", "swap in use": "3 MiB" },
    versions: { ...before.versions, bun: "1.5.0" },
    generator: "anyport load",
    finishedAt: undefined,
  }
  const { finishedAt: _, ...unfinished } = other
  const { differences, changes } = compare(before, unfinished)
  expect(differences).toEqual([
    `machine, CPU: ${before.machine["CPU"]} → another`,
    "version, bun: 1.4.5 → 1.5.0",
    "generator: C client (gcc 12.2.0) → anyport load",
    "the second is not finished",
  ])
  expect(text({ differences, changes })).toMatch(/^NOT THE SAME CONDITIONS: .*\n {2}machine, CPU: /)
})

it("what stands on one side only, is blank or has too few trials cannot be told", () => {
  const one = quiet("anyport-bun", "hand-bun")
  const died = altered(one, (trial) => trial.contender === "hand-bun" ? { ...trial, void: ["the server died"] } : trial)
  const reasons = (changes: ReadonlyArray<Change>) => outcomes(changes, "cannot be told").map(({ reason }) => reason)
  expect(reasons(compare(one, quiet("anyport-bun")).changes)).toEqual(["only in the first", "only in the first"])
  expect(reasons(compare(quiet("anyport-bun"), one).changes)).toEqual(["only in the second", "only in the second"])
  expect(reasons(compare(one, died).changes)[0]).toBe("the second none of 7 trials counts: the server died")
  const few = result({ takes, trials: 2, voids: 0 })
  expect(reasons(compare(few, few).changes)[0]).toBe("2 trials, at least 3 are needed")
})

it("a change is a line that says how much, between what, and of whom", () => {
  const one = quiet("anyport-bun", "hand-bun")
  const slow = altered(one, (trial) => trial.contender === "anyport-bun" ? slowed(trial, 2) : trial)
  expect(text(compare(one, slow))).toContain(
    "  worse: Anyport on Bun, 64 B lines, 50 connections, 1 in flight: CPU time a message 5.30 µs → 10.6 µs, " +
      "2.00 (2.00–2.00); against hand-written 2.00 (2.00–2.00)\n",
  )
})
