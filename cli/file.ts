/**
 * Files that are named on the command line: read, and asked whether they can be written, with one line for what is wrong.
 */
import * as Effect from "effect/Effect"
import { accessSync, constants, existsSync, readFileSync, statSync } from "node:fs"
import { dirname, resolve } from "node:path"
import * as Permissions from "../ops/permissions.ts"
import { UsageError } from "./UsageError.ts"

/** The text of a file. */
export const read = (file: string): Effect.Effect<string, UsageError> =>
  Effect.suspend(() => {
    const path = resolve(file)
    const permission = { name: "read", path } as const
    if (!Permissions.granted(permission)) {
      return fail(`${file}: reading it was not allowed; run deno with ${Permissions.flag(permission)}`)
    }
    try {
      return Effect.succeed(readFileSync(path, "utf8"))
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined
      return fail(`${file}: ${code === "ENOENT" ? `there is no file ${path}` : String(error)}`)
    }
  })

/** Refuses files that could not be written, and such as two flags name. */
export const writable = (
  files: ReadonlyArray<readonly [flag: string, file: string, ...rest: ReadonlyArray<unknown>]>,
): Effect.Effect<void, UsageError> =>
  Effect.suspend(() => {
    for (const [flag, file] of files) {
      const problem = unwritable(resolve(file))
      if (problem !== undefined) return fail(`${flag} ${file}: ${problem}`)
    }
    const twice = files.find(([, file], index) =>
      files.some(([, other], at) => at < index && resolve(other) === resolve(file))
    )
    return twice === undefined ? Effect.void : fail(`${twice[0]} ${twice[1]}: another flag names the same file`)
  })

const unwritable = (path: string): string | undefined => {
  const permission = { name: "write", path } as const
  if (!Permissions.granted(permission)) {
    return `writing it was not allowed; run deno with ${Permissions.flag(permission)}`
  }
  // What stands there already may not be readable for this process, and is not asked about then.
  if (!Permissions.granted({ name: "read", path: dirname(path) })) return undefined
  if (!existsSync(dirname(path))) return `there is no folder ${dirname(path)}`
  if (existsSync(path) && statSync(path).isDirectory()) return `${path} is a folder`
  try {
    accessSync(existsSync(path) ? path : dirname(path), constants.W_OK)
    return undefined
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined
    // Deno does not tell whether it may without a permission of its own.
    return code === "EACCES" || code === "EROFS" ? `${path} may not be written` : undefined
  }
}

const fail = (message: string): Effect.Effect<never, UsageError> => Effect.fail(new UsageError({ message }))
