/**
 * What a module of the user's exports by default, and in one line why it could not be loaded.
 */
import * as Effect from "effect/Effect"
import { statSync } from "node:fs"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import * as Permissions from "../ops/permissions.ts"
import { UsageError } from "./UsageError.ts"

/** The default export of the module at a path; `what` is what it ought to be, for messages. */
export const exported = Effect.fnUntraced(function* (
  what: string,
  name: string,
): Effect.fn.Return<unknown, UsageError> {
  const path = resolve(name)
  const problem = unreadable(path)
  if (problem !== undefined) return yield* fail(`Cannot load the ${what} ${name}: ${problem}`)
  const module = yield* Effect.tryPromise({
    try: () => import(pathToFileURL(path).href) as Promise<Record<string, unknown>>, // whatever a module exports
    catch: (cause) => new UsageError({ message: `Cannot load the ${what} ${name}: ${reason(cause)}`, cause }),
  })
  return module["default"]
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
