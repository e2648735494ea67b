/**
 * By which rules a comparison was made, and how each of them is met in it, in words. The rules are always the same; what
 * is said of them is taken from the result.
 */
import { counts, type Figures, plural, tooUnsteady, unsteady } from "../Figures.ts"
import { fewest } from "../Statistics.ts"

/** A rule, and how it is met. */
export interface Rule {
  readonly rule: string
  readonly met: string
}

/** All of them, in their order. */
export const rules = ({ result }: Figures): ReadonlyArray<Rule> => {
  const { machine, seed, trials, cells, generator } = result
  const planned = [...new Set(cells.map((cell) => cell.trials))].toSorted((a, b) => a - b)
  const invalid = trials.filter((trial) => !counts(trial)).length
  const placed = machine["placement"] ?? "where they ran is not told"
  const scenarios = [...new Set(cells.map(({ scenario }) => scenario))]
  return [
    {
      rule: "The same work and the same handler for all.",
      met: "Every server splits its input into frames, makes a string of each, calls a function that answers it, and " +
        "encodes what comes back. Anyport's handlers are the same source on each runtime.",
    },
    {
      rule: "Server and generator on CPUs of their own, one thread each; figures for each second of CPU time.",
      met: `${placed}. The headline is CPU time of the server's process, from the system's own accounting.`,
    },
    { rule: "A fresh process for each trial.", met: "No process is measured twice." },
    {
      rule: "Warmed up before it is measured.",
      met:
        `${machine["trial"] ?? "How long is not told"}. The load before is not measured. Its length is fixed: what a ` +
        "compiler still does after it is the same for all, and in the intervals.",
    },
    {
      rule: "At least five trials, in random order, interleaved, with the seed told.",
      met:
        `${
          planned.join(", ")
        } trials of each contender, in rounds: in a round each cell has its turn, and in a cell each ` +
        `contender, in random order, seed ${seed}. Where CPU time counts they are loaded by turns, a fraction of a second ` +
        `each, and are stopped in between.${
          planned.some((count) => count < 5) ? " Where there are fewer than five, read the intervals with care." : ""
        }`,
    },
    {
      rule: "Medians with 95 % bootstrap intervals, comparisons as ratios with intervals, every trial as a dot.",
      met:
        "Intervals are of the bootstrap in closed form, so that nothing is drawn by chance. Of five values or fewer an " +
        `interval is from the lowest to the highest (of ${fewest} it covers the true median in 75 %, of five in 94 %). ` +
        "Two contenders are compared in the rounds in which both count. An interval that covers 1 shows no difference; " +
        "a runtime is named the best only when its interval lies apart from all others'.",
    },
    {
      rule: "Throughput at full load, latency only at a fixed rate, from the moment at which a request was due.",
      met:
        "Latency is measured at shares of what the same server reached in this run, one request in flight. A request " +
        "that could not be sent in time counts from when it was due.",
    },
    {
      rule: "Replies are compared.",
      met: "Every byte of every reply. A wrong byte or a lost connection voids the trial.",
    },
    {
      rule: "Gates that void what cannot be trusted.",
      met:
        "A trial is void when others took more than 5 % of the server's core or the hypervisor kept more than 2 %, when " +
        "the server died, and, of latency, when the generator was 85 % busy or kept less than 99 % of its schedule. It is " +
        `made again, or by turns a round of all, at most twice. ${plural(invalid, "trial")} of ${trials.length} ${
          invalid === 1 ? "is" : "are"
        } void. ` +
        `A figure that varies by more than ${unsteady * 100} % is marked, by more than ${
          tooUnsteady * 100
        } % not shown. ` +
        "Throughput is shown only where the server's core was at least 95 % busy in the median trial; else the cell says " +
        "generator-bound.",
    },
    {
      rule: "Machine, versions and command are disclosed.",
      met:
        `All of it stands below. Everything went over ${
          machine["network"] ?? "the network that is named below"
        }, and ` +
        "the client was on the same machine.",
    },
    {
      rule: "A reference in C, and what the generator itself can do.",
      met: `The load is made by: ${generator}. ${
        result.contenders.some(({ family }) => family === "c")
          ? "A C server with epoll takes part in the cells that all do."
          : "No C server took part."
      }`,
    },
    {
      rule: "More than one shape of load.",
      met: `Measured were: ${scenarios.join(", ")}; sizes ${list(cells.map(({ size }) => size))} bytes; connections ${
        list(cells.map(({ connections }) => connections))
      }; in flight ${list(cells.map(({ inFlight }) => inFlight))}.`,
    },
    {
      rule: "The raw data are there, and the page is made from them.",
      met: "Nothing on this page was typed: `anyport bench report FILE.json --report page.html` makes it again.",
    },
  ]
}

const list = (values: ReadonlyArray<number | undefined>): string => {
  const known = [...new Set(values)].filter((value) => value !== undefined).toSorted((a, b) => a - b)
  return known.length === 0 ? "–" : known.map((value) => value.toLocaleString("en-US")).join(", ")
}
