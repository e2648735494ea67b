/**
 * The command line of a file that `anyport build` made: it serves the one service that it contains.
 */
import * as Command from "effect/cli/Command"
import { run } from "./run.ts"
import { listening, serveWith } from "./serve.ts"
import { exportedService } from "./exported.ts"

/** Serves what a module exports by default. `name` is the file's, for help and messages. */
export const standalone = (name: string, exported: unknown): Promise<never> =>
  run((exit) =>
    Command.make(name, listening, (input) => serveWith(exportedService(name, exported), input, exit)).pipe(
      Command.withDescription("Serve until SIGINT or SIGTERM"),
    )
  )
