/**
 * Finds the service that the command line names: a built-in one, or the default export of a module.
 */
import * as Effect from "effect/Effect"
import type { Service } from "../core/Service.ts"
import { exportedService } from "./exported.ts"
import { exported } from "./module.ts"
import { UsageError } from "./UsageError.ts"

const builtIn: Record<string, () => Promise<{ readonly default: Service }>> = {
  echo: () => import("../services/echo.ts"),
}

/** The service with this name, or of this module. */
export const load = Effect.fnUntraced(function* (name: string): Effect.fn.Return<Service<never, unknown>, UsageError> {
  const known = builtIn[name]
  if (known !== undefined) return (yield* Effect.promise(known)).default
  if (!/[./\\]/.test(name)) {
    return yield* fail(
      `Unknown service "${name}": accepted are ${Object.keys(builtIn).join(", ")} and paths like ./${name}.ts`,
    )
  }
  return yield* exportedService(name, yield* exported("service", name))
})

const fail = (message: string): Effect.Effect<never, UsageError> => Effect.fail(new UsageError({ message }))
