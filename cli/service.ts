/**
 * Finds the service that the command line names: a built-in one, or the default export of a module.
 */
import * as Effect from "effect/Effect"
import { statSync } from "node:fs"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import type { Service } from "../core/Service.ts"
import * as Permissions from "../ops/permissions.ts"
import { exportedService } from "./exported.ts"
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
  return yield* exportedService(name, module["default"])
})

const fail = (message: string): Effect.Effect<never, UsageError> => Effect.fail(new UsageError({ message }))

const unreadable = (path: string): string | undefined => {
  if (!Permissions.granted({ name: "read", path })) return notAllowed(path)
  try {
    return statSync(path).isFile() ? undefined : `${path} is not a file`
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined
    if (code === "ENOENT") return `there is no file ${path}`
    return String(error)
  }
}

const notAllowed = (path: string): string =>
  `reading ${path} was not allowed; run deno with ${Permissions.flag({ name: "read", path })}`

const reason = (cause: unknown): string => {
  const withheld = /Requires read access to "([^"]+)"/.exec(String(cause))?.[1] // of what it imports
  if (withheld !== undefined) return `${notAllowed(withheld)}, or with the folder of all that it imports`
  const message = (cause instanceof Error ? cause.message : String(cause)).replace(/\s+/g, " ").slice(0, 300)
  const missing = /(?:package|module|import|specifier)[^'"]*['"]((?:anyport|effect)(?:\/[^'"]*)?)['"]/i.exec(message)
    ?.[1]
  if (missing === undefined) return `${cause instanceof Error ? cause.name : "Error"}: ${message}`
  return `it imports "${missing}", which is not installed beside it; run \`npm install anyport effect\` in its folder`
}
