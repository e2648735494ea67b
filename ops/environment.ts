/**
 * Variables of the environment, as far as this process may read them: on Deno one without permission is not set.
 */
import process from "node:process"
import * as Permissions from "./permissions.ts"

/** The value of a variable; undefined where it is not set. */
export const read = (name: string): string | undefined =>
  Permissions.granted({ name: "env", variable: name }) ? process.env[name] : undefined

/** Its value, once: it is meant for this process, so what this process starts does not get it. */
export const take = (name: string): string | undefined => {
  const value = read(name)
  if (value !== undefined) delete process.env[name]
  return value
}
