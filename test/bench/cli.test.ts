/**
 * `anyport bench` as a person at a shell meets it: small runs over the wire, one that is ended and goes on, and one line
 * for whatever is wrong. What it measures here is worth nothing.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import type { Result } from "../../bench/Result.ts"
import { decode, encode } from "../../bench/ResultFile.ts"
import { family } from "../../bench/trials/processes.ts"
import { isProblem } from "../../load/Problem.ts"
import { Child, type End, killAll } from "../conformance/wire/child.ts"

const folder = mkdtempSync(join(tmpdir(), "anyport-bench-test-"))
const temporary = (name: string): string => join(folder, name)
afterEach(killAll)
afterAll(() => rmSync(folder, { recursive: true }))

const start = (...args: ReadonlyArray<string>): Child => new Child(["node", "cli/main.ts", "bench", ...args])
const bench = (...args: ReadonlyArray<string>): Promise<End> => start(...args).ended

const read = (file: string): Result => {
  const result = decode(readFileSync(file, "utf8"))
  if (isProblem(result)) throw new Error(result.problem)
  return result
}

/** Two contenders under load, and three that start. */
const small = ["--only", "churn-50", "--only", "start", "--runtime", "node", "--seconds", "0.2"]
const whole = [...small, "--trials", "2", "--seed", "7"]

describe("a small run", () => {
  const file = temporary("small.json")
  const page = temporary("small.html")
  let end: End
  beforeAll(async () => {
    end = await bench(...whole, "--json", file, "--report", page)
  }, 120_000)

  it("keeps every trial of its plan, with what was measured", () => {
    expect(end).toMatchObject({ code: 0 })
    const { cells, trials, seed, finishedAt, contenders } = read(file)
    expect(seed).toBe(7)
    expect(finishedAt).toBeDefined()
    expect(contenders.map(({ id }) => id).toSorted()).toEqual(
      ["anyport-file-node", "anyport-node", "empty-node", "hand-node"],
    )
    const made = new Set(trials.map(({ cell, contender, round }) => `${cell} ${contender} ${round}`))
    for (const { id, contenders } of cells) {
      for (const contender of contenders) {
        for (const round of [1, 2]) expect(made).toContain(`${id} ${contender} ${round}`)
      }
    }
    // Other tests run beside this one, so that a trial under load may be void, and one that got no CPU has no figures.
    const counting = trials.filter(({ void: reasons }) => reasons.length === 0)
    for (const { cell, measures } of counting) {
      expect(measures["seconds"]).toBeGreaterThan(0)
      if (cell === "start") expect(measures["rss"]).toBeGreaterThan(1e6)
      else expect(measures["messages"]).toBeGreaterThan(0)
    }
    expect(counting.filter(({ cell }) => cell === "start")).toHaveLength(6)
  })

  it("says before it starts how long it takes, then each trial, and shows a table", () => {
    expect(end.stderr).toMatch(/^About .*: 10 trials of 4 contenders in 2 cells, seed 7\n/)
    expect(end.stderr.match(/^(churn-50|start) .*left|done\)$/gm)?.length).toBeGreaterThanOrEqual(10)
    expect(end.stdout).toContain("Anyport on Node")
    expect(readFileSync(page, "utf8")).toMatch(/^<!doctype html>/i)
  })

  it("names no folder of this machine in what it keeps", () => {
    const { command, contenders } = read(file)
    for (const text of contenders.map(({ command }) => command)) expect(text).not.toContain(process.cwd())
    expect(command).toContain("anyport bench --only churn-50")
    expect(command).not.toContain(file)
  })

  it("goes on where its file ends, with exactly what is missing", async () => {
    const { finishedAt: _, ...result } = read(file)
    const kept = result.trials.slice(0, 4)
    const cut = temporary("cut.json")
    writeFileSync(cut, encode({ ...result, trials: kept }))
    const { code, stderr } = await bench(...whole, "--resume", cut)
    expect({ code, stderr }).toMatchObject({ code: 0 })
    const resumed = read(cut)
    expect(resumed.trials.slice(0, 4)).toEqual(kept)
    expect(resumed.startedAt).toBe(result.startedAt)
    expect(resumed.finishedAt).toBeDefined()
    const rounds = (trials: Result["trials"]) =>
      [...new Set(trials.map(({ cell, contender, round }) => `${cell} ${contender} ${round}`))].toSorted()
    expect(rounds(resumed.trials)).toEqual(rounds(result.trials))
  }, 60_000)

  it("does not go on as another plan", async () => {
    const { code, stderr } = await bench(...small, "--trials", "3", "--resume", file)
    expect({ code, lines: stderr.trim().split("\n") }).toEqual({
      code: 2,
      lines: [expect.stringContaining('its plan is that of "anyport bench --only churn-50')],
    })
  })

  it("is shown again, and compared with itself", async () => {
    const again = await bench("report", file)
    expect(again).toMatchObject({ code: 0, stderr: "" })
    expect(end.stdout).toBe(again.stdout)
    expect(await bench("compare", file, file)).toMatchObject({ code: 0, stderr: "" })
  })
})

it("keeps what is there when it is ended, and leaves no process behind", async () => {
  const file = temporary("ended.json")
  const child = start(...small, "--trials", "50", "--json", file)
  await child.line("stderr", (line) => /left,/.test(line) || undefined)
  const processes = family(child.pid)
  child.signal("SIGINT")
  const { code, stderr } = await child.ended
  expect(code).toBe(130)
  expect(stderr).toContain("--resume")
  const { trials, finishedAt } = read(file)
  expect(trials.length).toBeGreaterThan(0)
  expect(finishedAt).toBeUndefined()
  await expect.poll(() => processes.filter((pid) => existsSync(`/proc/${pid}`)), { timeout: 10_000 }).toEqual([])
}, 60_000)

it.each([
  ["--only nothing", "--only: Expected echo, latency"],
  ["--runtime deno2", "--runtime: Expected node, bun, deno"],
  ["--runtime bun@1.3=/nowhere/bun", "there is no file /nowhere/bun"],
  ["--contender mine=./server", "{port}"],
  ["--contender ./server", "name=command"],
  ["--service ./mine.ts", "--service ./mine.ts: it wants --client beside it"],
  ["--client ./mine.ts", "--client ./mine.ts: it wants --service beside it"],
  ["--service ./mine.ts --client ./sim.ts", "--service ./mine.ts: there is no file"],
  ["--generators --only echo", "--generators: it excludes --only"],
  ["--json /nowhere/bench.json", "--json /nowhere/bench.json: there is no folder /nowhere"],
  ["--json a.json --report a.json", "another flag names the same file"],
  ["--resume /nowhere/bench.json", "there is no file /nowhere/bench.json"],
  ["--resume package.json", '--resume package.json: Expected a result of anyport bench, got JSON without "format"'],
  ["--seed one", "--seed"],
  ["--seed -1", "Expected a number from 0"],
  ["--seconds 0", "--seconds: Expected a number up to 60, got 0"],
  ["report package.json", "package.json: Expected a result of anyport bench"],
  ["compare a.json b.json", "a.json: there is no file"],
])("says in one line what is wrong with %s", async (args, message) => {
  const { code, stdout, stderr } = await bench(...args.split(" "))
  expect({ code, stdout, lines: stderr.trim().split("\n") }).toEqual({
    code: 2,
    stdout: "",
    lines: [expect.stringContaining(message)],
  })
})
