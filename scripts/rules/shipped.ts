/**
 * What may not stand in code that ships: Effect's barrel anywhere, because it costs memory and start-up time, and in
 * `core/` any ambient name of a runtime, because time, randomness and I/O reach it as services.
 */
import { importsOf } from "./imports.ts"
import { codeOnly, isModule, lineAt, type Source, type Violation } from "./Source.ts"

const ships = ({ path }: Source): boolean => /^(core|adapters|services|load|bench|ops|config|testing|cli)\//.test(path)

/** Every import of `"effect"` itself. */
export const barrel = (sources: ReadonlyArray<Source>): ReadonlyArray<Violation> =>
  sources.filter(isModule).filter(ships).flatMap(({ path, text }) =>
    importsOf(text).filter(({ specifier }) => specifier === "effect").map(({ line }) => ({
      path,
      line,
      message: 'Barrel rule: imports "effect"; allowed is one module at a time, such as "effect/Effect"',
    }))
  )

/** Every ambient name of a runtime in core, outside comments and strings. */
export const ambient = (sources: ReadonlyArray<Source>): ReadonlyArray<Violation> =>
  sources.filter(isModule).filter(({ path }) => path.startsWith("core/")).flatMap(({ path, text }) =>
    [...codeOnly(text).matchAll(names)].map((match) => ({
      path,
      line: lineAt(text, match.index),
      message:
        `Ambient rule: uses ${match[0]}; core takes time from Clock, randomness from Random, I/O from Sockets, ` +
        "and of globals only ECMAScript's, TextEncoder and TextDecoder",
    }))
  )

const names =
  /(?<![\w$#.])(?:Bun|Deno|process|console|performance)(?=\s*[.[?])|(?<![\w$#.])(?:Buffer|setTimeout|setInterval|setImmediate|queueMicrotask)\b|(?<![\w$#.])(?:Date\.now|Math\.random)\b/g
