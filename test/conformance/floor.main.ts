/**
 * The command line in a runtime that says it is another version than it is, as `floor.main.ts VERSION ARGUMENT...`.
 */
import process from "node:process"

const [version] = process.argv.splice(2, 1)

// Deno's `process.versions` is none of its own: the adapter asks its global.
const { Deno } = globalThis as { readonly Deno?: object } // there are no types for it here
if (Deno !== undefined) Object.defineProperty(Deno, "version", { value: { deno: version } })
else Object.defineProperty(process.versions, "Bun" in globalThis ? "bun" : "node", { value: version })

await import("../../cli/main.ts")
