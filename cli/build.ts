/**
 * `anyport build MODULE`: its flags, and how the file that it writes is run.
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { existsSync, statSync } from "node:fs"
import { basename, dirname, extname, resolve } from "node:path"
import process from "node:process"
import { fileURLToPath } from "node:url"
import { flag, granted } from "../ops/permissions.ts"
import { UsageError } from "./UsageError.ts"

/** `anyport build`. */
export const build = Command.make(
  "build",
  {
    module: Argument.String("module").pipe(
      Argument.withDescription("A module whose default export is a service"),
    ),
    output: Flag.String("output").pipe(
      Flag.withAlias("o"),
      Flag.withMetavar("file"),
      Flag.withDescription("Where to write the file (default: the module's name with .mjs, in the current folder)"),
      Flag.optional,
    ),
  },
  Effect.fnUntraced(function* ({ module, output }) {
    yield* allowed
    const path = yield* file(module)
    const target = Option.getOrElse(output, () => `${basename(module, extname(module))}.mjs`)
    if (resolve(target) === path) return yield* fail(`--output ${target} is the module itself; name another file`)
    const name = basename(target, extname(target))
    const program = `import * as service from ${JSON.stringify(path)}\n` +
      `import { standalone } from ${JSON.stringify(yield* standalone)}\n` +
      `await standalone(${JSON.stringify(name)}, service.default)\n`
    const size = yield* Effect.tryPromise({
      try: async () =>
        (await import("./bundle.ts")).bundle({ program, folder: dirname(path), output: resolve(target) }),
      catch: (cause) => {
        const reason = cause instanceof Error ? cause.message : String(cause)
        return new UsageError({ message: `Cannot build ${module}: ${reason}`, cause })
      },
    })
    process.stdout.write(instructions(module, target, size))
  }),
).pipe(
  Command.withDescription("Write a service and the whole server into one file that runs on Node, Bun and Deno"),
  Command.withExamples([
    { command: "anyport build ./my-service.ts -o server.mjs", description: "A file that needs nothing beside it" },
  ]),
)

// esbuild is a program of its own, which Deno has to be allowed to run, and reads the environment.
const allowed: Effect.Effect<void, UsageError> = Effect.suspend(() => {
  const missing = (["read", "write", "env", "run"] as const).filter((name) => !granted({ name }))
  if (missing.length === 0) return Effect.void
  const flags = missing.map((name) => flag({ name })).join(" ")
  return fail(`Cannot build here: run deno with ${flags}, or build with Node or Bun; the file runs on all three`)
})

const file = (module: string): Effect.Effect<string, UsageError> => {
  const path = resolve(module)
  if (!existsSync(path)) return fail(`Cannot build ${module}: there is no file ${path}`)
  if (!statSync(path).isFile()) return fail(`Cannot build ${module}: ${path} is not a file`)
  return Effect.succeed(path)
}

// The one file holds no modules that another file could be made of.
const standalone: Effect.Effect<string, UsageError> = Effect.suspend(() => {
  const path = fileURLToPath(new URL(`./standalone${extname(fileURLToPath(import.meta.url))}`, import.meta.url))
  if (existsSync(path)) return Effect.succeed(path)
  return fail("Cannot build with the one file; run `npm install anyport effect esbuild`, then `npx anyport build`")
})

const fail = (message: string): Effect.Effect<never, UsageError> => Effect.fail(new UsageError({ message }))

const instructions = (module: string, file: string, size: number): string => {
  const server = basename(file, extname(file))
  return `${file} serves ${module} (${Math.ceil(size / 1_024)} KiB). It needs nothing beside it:

  node ${file}
  bun ${file}
  deno run --no-prompt --allow-net=127.0.0.1:9000 ${file}

As an executable that needs no runtime either:

  bun build --compile ${file} --outfile ${server}
  deno compile --no-prompt --allow-net=127.0.0.1:9000 --output ${server} ${file}
`
}
