/**
 * Finds the service that the command line names: a built-in one, or the default export of a module.
 */
import * as Effect from "effect/Effect"
import { statSync } from "node:fs"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { isService, type Service } from "../core/Service.ts"
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
  const path = resolve(name)
  const problem = unreadable(path)
  if (problem !== undefined) return yield* fail(`Cannot load the service ${name}: ${problem}`)
  const module = yield* Effect.tryPromise({
    try: () => import(pathToFileURL(path).href) as Promise<Record<string, unknown>>, // whatever a module exports
    catch: (cause) => new UsageError({ message: `Cannot load the service ${name}: ${reason(cause)}`, cause }),
  })
  const service = unwrap(module["default"])
  if (isService(service)) return service as Service<never, unknown> // what it needs beyond its layers cannot be known here
  return yield* fail(
    `Cannot load the service ${name}: its default export is ${
      describe(module["default"])
    }, wanted is what Service.respond or Service.session returns`,
  )
})

const fail = (message: string): Effect.Effect<never, UsageError> => Effect.fail(new UsageError({ message }))

// A loader that takes the module for CommonJS puts the default export one level down.
const unwrap = (exported: unknown): unknown =>
  typeof exported === "object" && exported !== null && "default" in exported ? exported.default : exported

const unreadable = (path: string): string | undefined => {
  try {
    return statSync(path).isFile() ? undefined : `${path} is not a file`
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined
    if (code === "ENOENT") return `there is no file ${path}`
    if ("Deno" in globalThis) return `reading it was not allowed; run deno with --allow-read=${path}`
    return String(error)
  }
}

const reason = (cause: unknown): string => {
  const message = (cause instanceof Error ? cause.message : String(cause)).replace(/\s+/g, " ").slice(0, 300)
  const missing = /(?:package|module|import|specifier)[^'"]*['"]((?:anyport|effect)(?:\/[^'"]*)?)['"]/i.exec(message)
    ?.[1]
  if (missing === undefined) return `${cause instanceof Error ? cause.name : "Error"}: ${message}`
  return `it imports "${missing}", which is not installed beside it; run \`npm install anyport effect\` in its folder`
}

const describe = (value: unknown): string =>
  value === undefined
    ? "missing"
    : value === null
    ? "null"
    : Array.isArray(value)
    ? "an array"
    : `of type ${typeof value}`
