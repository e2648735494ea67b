/**
 * The simulation that a module of the user's exports by default.
 */
import * as Effect from "effect/Effect"
import { isSimulation, type Simulation } from "../../load/Simulation.ts"
import { describe, unwrap } from "../exported.ts"
import { exported } from "../module.ts"
import { UsageError } from "../UsageError.ts"

/** Whether an argument names a module, and not a server. */
export const isModule = (text: string): boolean => /^(\.{0,2}[/\\]|[a-zA-Z]:[/\\])|^[^:]*\.[cm]?[jt]sx?$/.test(text)

/** The simulation of a module. */
export const load = Effect.fnUntraced(function* (module: string): Effect.fn.Return<Simulation, UsageError> {
  const simulation = unwrap(yield* exported("simulation", module))
  if (isSimulation(simulation)) return simulation
  const message =
    `Cannot load the simulation ${module}: its default export is ${describe(simulation)}, wanted is what ` +
    "Simulation.make of anyport/load returns"
  return yield* Effect.fail(new UsageError({ message }))
})
