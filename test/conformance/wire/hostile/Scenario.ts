/** A hostile scenario: what clients do to a server, and what has to come of it. It knows neither runtime nor judge. */
import type { Options } from "./Options.ts"
import type { Target } from "./Target.ts"

/** One scenario, run against a server of its own. */
export interface Scenario {
  /** What `--only` calls it. */
  readonly name: string
  /** Its numbers in the list of faults, and what happens: the test's name. */
  readonly title: string
  readonly server?: Options
  /** The most file descriptors that the server gets. Default: as many as this process has. */
  readonly descriptors?: number
  /** The longest that the well-behaved client may wait for an answer, in milliseconds. Default 1,000. */
  readonly patience?: number
  /** By how many MiB the server's resident memory may rise at its peak. Default 128. */
  readonly memory?: number
  /** Does it, and says what came of it in a few words; rejects when that is not what has to. */
  readonly act: (target: Target) => Promise<string>
}
