#!/usr/bin/env node
/**
 * The command line, `anyport`: its commands, each loaded when it runs.
 */
import * as Command from "effect/cli/Command"
import { bench } from "./bench.ts"
import { build } from "./build.ts"
import { doctor } from "./doctor.ts"
import { load } from "./load.ts"
import { run } from "./run.ts"
import { serve } from "./serve.ts"

await run((exit) =>
  Command.make("anyport").pipe(
    Command.withDescription("One TCP server for Node, Bun and Deno"),
    Command.withSubcommands([serve(exit), load(exit), bench(exit), build, doctor(exit)]),
  )
)
