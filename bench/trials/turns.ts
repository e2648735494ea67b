/**
 * Contenders of a cell by turns: each in a process of its own, warmed up, and then loaded in short bursts, one contender
 * after the other, in an order that is drawn anew for each turn. A machine that is slower for a while is so for all of
 * them, which is what their ratios need.
 *
 * Whoever has no turn is stopped (SIGSTOP): it takes nothing of the others' core, and nothing that it would do between its
 * bursts, such as to collect garbage while nobody asks, escapes the account.
 */
import type { Random } from "../../load/Random.ts"
import { launch } from "../Contenders.ts"
import type { Loaded } from "../Load.ts"
import type { Parts } from "../Generator.ts"
import type { Child } from "../Program.ts"
import { shuffled } from "../Plan.ts"
import { loadOf, madeOf } from "./echo.ts"
import type { Ask, Made, Tools } from "./Trial.ts"

/** What came of each, in the order of the asks; rejected where it could not be measured at all. */
export const turns = async (
  asks: ReadonlyArray<Ask>,
  tools: Tools,
  random: Random,
): Promise<ReadonlyArray<PromiseSettledResult<Made>>> => {
  const entrants = asks.map((ask) => new Entrant(ask, tools))
  try {
    for (const entrant of entrants) await entrant.enter()
    while (entrants.some(({ isPlaying }) => isPlaying)) {
      for (const entrant of shuffled(entrants, random)) await entrant.turn()
    }
    return entrants.map(({ outcome }) => outcome)
  } finally {
    await Promise.all(entrants.map((entrant) => entrant.leave()))
  }
}

class Entrant {
  readonly #ask: Ask
  readonly #tools: Tools
  #child: Child | undefined
  #load: Parts | undefined
  #died: number | string | undefined
  #outcome: PromiseSettledResult<Made> | undefined

  constructor(ask: Ask, tools: Tools) {
    this.#ask = ask
    this.#tools = tools
  }

  /** Whether it has bursts before it. */
  get isPlaying(): boolean {
    return this.#outcome === undefined
  }

  get outcome(): PromiseSettledResult<Made> {
    return this.#outcome ?? { status: "rejected", reason: new Error("it never had a turn") }
  }

  /** Starts the server and warms it up. */
  enter(): Promise<void> {
    return this.#attempt(async () => {
      const { generator, cpus } = this.#tools
      const child = await launch(this.#ask.program, { cpu: cpus?.server })
      this.#child = child
      void child.ended.then((how) => this.#died = how)
      this.#load = await generator.parts({
        ...loadOf(this.#ask, child.port),
        mode: this.#ask.cell.scenario === "churn" ? "churn" : "closed",
        server: { pid: child.pid, cpu: cpus?.server },
      }, { cpu: cpus?.client })
      await this.#load.next()
      child.signal("SIGSTOP")
    })
  }

  /** One burst, the last of which says what it measured. */
  turn(): Promise<void> {
    return this.#attempt(async () => {
      this.#child!.signal("SIGCONT") // who plays has entered
      const loaded = await this.#load!.next()
      this.#child!.signal("SIGSTOP")
      if (loaded !== undefined) this.#outcome = { status: "fulfilled", value: this.#judged(loaded) }
    })
  }

  async leave(): Promise<void> {
    await Promise.all([this.#load?.stop(), this.#child?.stop()])
  }

  #judged(loaded: Loaded): Made {
    const made = madeOf(loaded)
    return this.#died === undefined
      ? made
      : { ...made, problems: [`the server ended with ${this.#died}`, ...made.problems] }
  }

  async #attempt(task: () => Promise<void>): Promise<void> {
    if (!this.isPlaying) return
    try {
      await task()
    } catch (reason) {
      this.#outcome = { status: "rejected", reason }
      await this.leave()
    }
  }
}
