/**
 * Adds up what workers say of themselves. Rules:
 *
 * 1. A counter of the instance grows by what each account has more than the one before of the same worker, and never
 *    goes back: what a worker counted stays when it ends.
 * 2. A gauge is of those who are there now: the sum of theirs, or what its family says (`across`).
 * 3. What is kept is bounded, however many workers come and go.
 *
 * Nothing here knows what is counted, so that workers with newer code may count other things than those before.
 */
import type { Family, Sample } from "../admin/exposition.ts"

/** What a worker says of itself when it is asked: plain data of a bounded size. */
export interface Account {
  readonly draining: boolean
  /** What keeps new clients from it, a line each. */
  readonly problems: ReadonlyArray<string>
  readonly families: ReadonlyArray<Family>
}

/** More than there are, by far; what comes on top of it is left out. */
const mostFamilies = 256
const mostSeries = 256

type Values = Map<string, Sample>

/** The sum of accounts. */
export class Ledger {
  /** Each family that was ever seen, as whoever came last describes it, in the order in which they were seen. */
  readonly #families = new Map<string, Omit<Family, "samples">>()
  readonly #counted = new Map<string, Values>()

  /** Takes an account of a worker, and the one that it gave before. */
  readonly add = ({ families }: Account, before: Account | undefined): void => {
    for (const { samples, ...family } of families) {
      const { name, type } = family
      if (!this.#families.has(name) && this.#families.size >= mostFamilies) continue
      this.#families.set(name, family)
      if (type === "gauge") continue
      const earlier = new Map(
        before?.families.find((of) => of.name === name)?.samples.map((sample) => [keyOf(sample), sample.value]),
      )
      const values = entry(this.#counted, name)
      for (const sample of samples) {
        const more = sample.value - (earlier.get(keyOf(sample)) ?? 0)
        put(values, sample, (counted = 0) => counted + Math.max(0, more))
      }
    }
  }

  /** All families: the counters until now, and the gauges of those who gave these accounts last. */
  families(accounts: ReadonlyArray<Account>): ReadonlyArray<Family> {
    const gauges = new Map<string, Values>()
    for (const { name, type, across, samples } of accounts.flatMap(({ families }) => families)) {
      if (type === "counter") continue
      const values = entry(gauges, name)
      for (const sample of samples) {
        put(values, sample, (value) => {
          if (value === undefined) return sample.value
          return across === "max" ? Math.max(value, sample.value) : value + sample.value
        })
      }
    }
    return [...this.#families.values()].flatMap((family) => {
      const values = (family.type === "counter" ? this.#counted : gauges).get(family.name)
      return values === undefined ? [] : [{ ...family, samples: [...values.values()] }]
    })
  }
}

const keyOf = ({ labels }: Sample): string => JSON.stringify(labels ?? {})

const entry = (of: Map<string, Values>, name: string): Values => {
  const values = of.get(name) ?? new Map<string, Sample>()
  of.set(name, values)
  return values
}

const put = (values: Values, sample: Sample, change: (value: number | undefined) => number): void => {
  const key = keyOf(sample)
  const value = values.get(key)
  if (value === undefined && values.size >= mostSeries) return
  values.set(key, { ...sample, value: change(value?.value) })
}
