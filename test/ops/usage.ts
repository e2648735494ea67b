/** What a server at rest has in use, for tests that change some of it. */
import type { Usage } from "../../core/Server.ts"

/** A reading with these values, and nothing else in use. */
export const usage = (of: Partial<Usage> = {}): Usage => ({
  connections: 0,
  waiting: 0,
  refusing: 0,
  probes: 0,
  memory: 0,
  inFlight: 0,
  inFlightWaiting: 0,
  inFlightWaited: 0,
  lag: 0,
  load: "calm",
  overloaded: undefined,
  ...of,
})
