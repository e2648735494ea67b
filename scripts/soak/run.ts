/** One soak of one runtime: a server of its own, the traffic, and a look at what it holds every other second. */
import { setTimeout as sleep } from "node:timers/promises"
import type { Runtime } from "../child.ts"
import type { Row } from "./results.ts"
import type { Report } from "./server.ts"
import { Subject } from "./Subject.ts"
import { soak } from "./traffic.ts"
import { batches, type Sample } from "./trend.ts"
import { judge, type Measure, measures, settling } from "./verdict.ts"

/** How long and how much. */
export interface Wanted {
  readonly minutes: number
  /** Requests a second. */
  readonly rate: number
  /** Is told now and then how it goes. */
  readonly say: (line: string) => void
}

const sampleMillis = 2_000
/** Collecting garbage takes the server some time, and a short soak wants to see what is left all the same. */
const samplesToCollection = (minutes: number): number => minutes < 5 ? 2 : 5
const sayMillis = 30_000
const kept = 60
const minute = 60_000
const mebibyte = 1 << 20

type Series = Record<Measure["name"], Array<Sample>>

/** Soaks a server of this runtime. */
export const run = async (runtime: Runtime, { minutes, rate, say }: Wanted): Promise<Row> => {
  const subject = await Subject.start(runtime)
  try {
    const duration = minutes * minute
    const watch = new Watch(subject, (line) => say(`${runtime.padEnd(4)}  ${line}`))
    const traffic = soak({ port: subject.port, rate, duration, freezeEvery: Math.min(minute, duration / 2) })
    const [{ steady, churn, frozen }] = await Promise.all([traffic, watch.run(duration)])
    const { closed, opened } = await subject.ask("sample")
    const settled = settling(minutes)
    const found = measures.map((measure) =>
      judge(measure, watch.series[measure.name].filter(({ at }) => at >= settled))
    )
    const latency = (percent: number): number => Math.round(steady.total.response.getValueAtPercentile(percent))
    return {
      runtime,
      minutes,
      rate,
      replies: steady.total.replies,
      scheduled: steady.scheduled ?? 0,
      p50: latency(50),
      p99: latency(99),
      max: Math.round(steady.total.response.maxValue),
      visits: churn.total.connections,
      frozen,
      stalled: closed["write_stalled"] ?? 0,
      opened,
      failures: {
        ...Object.fromEntries([...steady.total.failures].map(([kind, count]) => [`requests: ${kind}`, count])),
        ...Object.fromEntries([...churn.total.failures].map(([kind, count]) => [`visitors: ${kind}`, count])),
        ...steady.unsent > 0 ? { "requests: never sent": steady.unsent } : {},
      },
      settled,
      found,
      series: Object.fromEntries(
        measures.map(({ name }) => [
          name,
          batches(watch.series[name], kept).map(({ at, value }) => [round(at), round(value)] as const),
        ]),
      ),
    }
  } finally {
    await subject.stop()
  }
}

const round = (value: number): number => Number(value.toFixed(2))

/** Looks at a server. */
class Watch {
  readonly series: Series = { rss: [], heap: [], descriptors: [], fibers: [], timers: [] }
  readonly #subject: Subject
  readonly #say: (line: string) => void

  constructor(subject: Subject, say: (line: string) => void) {
    this.#subject = subject
    this.#say = say
  }

  /** For so many milliseconds. */
  async run(duration: number): Promise<void> {
    const began = performance.now()
    let saidAt = began
    for (let count = 0; performance.now() - began < duration; count++) {
      const collects = count % samplesToCollection(duration / minute) === 0
      const report = await this.#subject.ask(collects ? "collect" : "sample")
      const now = performance.now()
      this.#note((now - began) / minute, report, collects)
      if (now - saidAt >= sayMillis) {
        saidAt = now
        this.#say(this.#line((now - began) / minute, report))
      }
      await sleep(Math.max(0, began + (count + 1) * sampleMillis - performance.now()))
    }
  }

  #note(at: number, { rss, heap, fibers, timers }: Report, collected: boolean): void {
    const { series } = this
    series.rss.push({ at, value: rss / mebibyte })
    series.descriptors.push({ at, value: this.#subject.descriptors })
    series.fibers.push({ at, value: fibers })
    series.timers.push({ at, value: timers })
    if (collected) series.heap.push({ at, value: heap / mebibyte })
  }

  #line(at: number, { connections, fibers, opened, rss, timers }: Report): string {
    const heap = this.series.heap.at(-1)?.value ?? 0
    return `${at.toFixed(1)} min  ${(rss / mebibyte).toFixed(0)} MiB resident, ${heap.toFixed(1)} MiB heap, ` +
      `${this.#subject.descriptors} descriptors, ${fibers} fibers, ${timers} timers, ` +
      `${connections} of ${opened} connections`
  }
}
