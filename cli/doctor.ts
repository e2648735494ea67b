/**
 * `anyport doctor`: its flags. What it does is loaded when it runs.
 */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import process from "node:process"
import { Sockets } from "../core/Sockets.ts"
import { version as anyport } from "./version.ts"

/** `anyport doctor`. The exit code is left in `exit`: 0 when a server can run here, else 1. */
export const doctor = (exit: (code: number) => void) =>
  Command.make(
    "doctor",
    {
      json: Flag.Boolean("json").pipe(
        Flag.withDescription("The same as one JSON object, for programs"),
        Flag.withDefault(false),
      ),
    },
    Effect.fnUntraced(function* ({ json }) {
      const [{ examine, format }, { layer }, { floors, isBelow }] = yield* Effect.promise(() =>
        Promise.all([import("../ops/doctor.ts"), import("../adapters/auto.ts"), import("../adapters/Floor.ts")])
      )
      const program = Effect.gen(function* () {
        const { capabilities } = yield* Sockets
        const [key, version = "unknown"] = capabilities.runtime.split(" ")
        const floor = floors[key as keyof typeof floors] // the layer is of one of the three
        return yield* examine({
          anyport,
          runtime: { name: floor.name, version, floor, supported: !isBelow(version, floor.version) },
        })
      })
      const report = yield* Effect.provide(program, layer)
      process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : format(report))
      exit(report.ok ? 0 : 1)
    }),
  ).pipe(
    Command.withDescription("Say whether a server can run here, and what it would lack"),
    Command.withExamples([{ command: "anyport doctor", description: "Versions, limits, sockets and permissions" }]),
  )
