/**
 * What a module exports by default, as the service that it has to be.
 */
import * as Effect from "effect/Effect"
import { isService, type Service } from "../core/Service.ts"
import { UsageError } from "./UsageError.ts"

/** The service that `name` exports by default; whoever exports something else is told what it is. */
export const exportedService = (
  name: string,
  exported: unknown,
): Effect.Effect<Service<never, unknown>, UsageError> => {
  const service = unwrap(exported)
  if (isService(service)) return Effect.succeed(service as Service<never, unknown>) // its needs cannot be known here
  const message = `Cannot load the service ${name}: its default export is ${describe(exported)}, wanted is what ` +
    "Service.respond, Service.session or Service.plain returns"
  return Effect.fail(new UsageError({ message }))
}

/** A loader that takes the module for CommonJS puts the default export one level down. */
export const unwrap = (exported: unknown): unknown =>
  typeof exported === "object" && exported !== null && "default" in exported ? exported.default : exported

/** What it is, for messages. */
export const describe = (value: unknown): string =>
  value === undefined
    ? "missing"
    : value === null
    ? "null"
    : Array.isArray(value)
    ? "an array"
    : `of type ${typeof value}`
