/**
 * One hostile scenario on one runtime: a server of its own, a well-behaved client beside it, the attack, and what must
 * hold of every server whatever is done to it: it lives and says nothing on stderr, the client gets every answer in time,
 * each connection is opened once and closed once with a reason, and what it holds returns to what it held before.
 */
import { setTimeout as sleep } from "node:timers/promises"
import { cpuSeconds, memory } from "../../../../scripts/child.ts"
import { type Figures, Steady } from "../../../peers/Steady.ts"
import type { Runtime } from "../child.ts"
import { disconnectAll } from "../client.ts"
import { endsIn } from "../sockets.ts"
import type { Report } from "./Options.ts"
import type { Scenario } from "./Scenario.ts"
import { Target } from "./Target.ts"
import { waitedForCpu } from "./waiting.ts"

/** What came of it. */
export interface Outcome {
  /** In a few words. */
  readonly what: string
  /** What must hold and did not. */
  readonly losses: ReadonlyArray<string>
  /** The well-behaved client, before the attack and during it. */
  readonly calm: Figures
  readonly attacked: Figures
  /** Of a core, during the attack. */
  readonly cpu: number
  /** Resident memory of the server in MiB. */
  readonly memory: { readonly before: number; readonly peak: number; readonly after: number }
}

/** The longest that a scenario may take, in milliseconds. */
const longest = 45_000
/** In which a server that is left alone has to hold no more than before, in milliseconds. */
const recovery = 10_000
/** The longest that somebody new may wait for his first answer, in milliseconds. */
const welcome = 1_000
/** Descriptors that a runtime opens for itself at some time and keeps. */
const own = 4
/** By how many MiB what is allocated may have grown, after a garbage collection: of code that has run meanwhile. */
const growth = 16

/**
 * Runs one; the well-behaved client is alone for `calmMillis` first. Rejects when the server does not start, and when it
 * dies.
 */
export const judge = async (scenario: Scenario, runtime: Runtime, calmMillis: number): Promise<Outcome> => {
  const target = await Target.start(runtime, scenario.server ?? {}, scenario.descriptors)
  const steady = new Steady(target.port())
  try {
    return await attack(scenario, target, steady, calmMillis)
  } catch (error) {
    throw await target.death ?? error
  } finally {
    disconnectAll()
    await steady.stop()
    await target.kill()
  }
}

const attack = async (scenario: Scenario, target: Target, steady: Steady, calmMillis: number): Promise<Outcome> => {
  await steady.figures() // of its first answers, which are the slowest
  await sleep(calmMillis)
  const calm = await steady.figures()
  const before = { ...await target.collect(), descriptors: target.descriptors, resident: memory(target.pid).now }

  const losses: Array<string> = []
  const began = { cpu: cpuSeconds(target.pid), at: performance.now(), starved: waitedForCpu(target.pid) }
  const what = await bounded(scenario.act(target), longest).catch(async (error: unknown) => {
    const death = await target.death
    if (death !== undefined) throw death
    losses.push(error instanceof Error ? error.message : String(error))
    return "failed"
  })
  const cpu = (cpuSeconds(target.pid) - began.cpu) / ((performance.now() - began.at) / 1_000)
  disconnectAll()

  const attacked = await steady.figures()
  const { patience = 1_000, memory: most = 128 } = scenario
  if (attacked.failure !== undefined) losses.push(`the well-behaved client could not go on: ${attacked.failure}`)
  const starved = Math.max(0, waitedForCpu(target.pid) - began.starved)
  if (attacked.max > patience + starved) losses.push(`the well-behaved client waited ${attacked.max.toFixed(0)} ms`)
  losses.push(...await welcomes(target), ...await returns(target, before), ...sums(await target.report()))
  const { peak, now } = memory(target.pid)
  const rise = peak - before.resident
  if (rise > most) losses.push(`resident memory rose by ${rise.toFixed(0)} MiB`)

  await steady.stop()
  const end = await bounded(target.stop(), recovery).catch((error: Error) => ({ code: error.message, stderr: "" }))
  if (end.code !== 0) losses.push(`told to end, it answered: ${end.code}`)
  if (end.stderr !== "") losses.push(`it wrote: ${end.stderr.slice(0, 500)}`)
  return { what, losses, calm, attacked, cpu, memory: { before: before.resident, peak, after: now } }
}

/** Whether somebody new is served in time. */
const welcomes = async (target: Target): Promise<ReadonlyArray<string>> => {
  const asked = performance.now()
  const before = waitedForCpu(target.pid)
  const answer = async () => (await target.connect()).ask("new")
  const found = await bounded(answer(), recovery).catch((error: unknown) => String(error))
  disconnectAll()
  const waited = performance.now() - asked
  if (found !== "echo: new") return [`somebody new was answered ${found}`]
  return waited > welcome + Math.max(0, waitedForCpu(target.pid) - before)
    ? [`somebody new waited ${waited.toFixed(0)} ms`]
    : []
}

type Before = Report & { readonly descriptors: number }

/** What is still held that was not held before, once there is time to let it go. */
const returns = async (target: Target, before: Before): Promise<ReadonlyArray<string>> => {
  const deadline = performance.now() + recovery
  for (;;) {
    const { connections, fibers, timers, memory } = await target.collect()
    const ports = [target.port(), target.port({ service: "session" })]
    const unclosed = endsIn("CLOSE_WAIT").filter(({ local }) => ports.includes(local)).length
    const grown = (memory.heap - before.memory.heap) / (1 << 20)
    const more = [
      ...connections > before.connections ? [`${connections - before.connections} connections`] : [],
      ...fibers > before.fibers ? [`${fibers - before.fibers} fibers`] : [],
      ...timers > before.timers ? [`${timers - before.timers} timers`] : [],
      // V8 frees the memory of buffers some time after the collection that found them.
      ...unclosed > 0 ? [`${unclosed} sockets in CLOSE_WAIT`] : [],
      ...grown > growth ? [`${grown.toFixed(0)} MiB`] : [],
      ...target.descriptors > before.descriptors + own
        ? [`${target.descriptors - before.descriptors} descriptors`]
        : [],
    ]
    if (more.length === 0) return []
    if (performance.now() > deadline) return [`it still holds ${more.join(", ")} more than before`]
    await sleep(50)
  }
}

/** What does not add up of its connections. */
const sums = ({ opened, closed, connections, twice }: Report): ReadonlyArray<string> => {
  const ended = Object.values(closed).reduce((sum, count) => sum + count, 0)
  return [
    ...opened - ended === connections ? [] : [`${opened} opened - ${ended} closed is not ${connections} active`],
    ...twice === 0 ? [] : [`${twice} connections were opened or closed twice`],
  ]
}

const bounded = async <A>(work: Promise<A>, millis: number): Promise<A> => {
  const over = new AbortController()
  const late = sleep(millis, undefined, { signal: over.signal }).then(() => {
    throw new Error(`It was not over after ${millis / 1_000} s`)
  })
  late.catch(() => {}) // of the abort
  return await Promise.race([work, late]).finally(() => over.abort())
}
