/** The same clients as in the storm, but their server is replaced: a drain ends them one by one, and each connects at once. */
import * as Duration from "effect/Duration"
import { presets } from "../../../core/Presets.ts"
import { type Case, using } from "../Case.ts"
import { Program } from "../Program.ts"
import { Regulars } from "../Regulars.ts"
import { measured, measures } from "./storm.ts"

const preset = "internal"
const spread = Duration.toSeconds(Duration.fromInputUnsafe(presets[preset].drain?.spread ?? 0))

export const spreading: Case = {
  name: "spread",
  title: ({ returning }) =>
    `${returning.toLocaleString("en-US")} clients are moved to another process, by a drain over ${spread} s`,
  measures,
  run: async (runtime, { returning }) =>
    using(
      await Program.start(runtime, { flags: ["--workers", "1", "--preset", preset, "--drain-delay", "off"] }),
      (program) =>
        using(new Regulars(program.port, returning), async (regulars) => {
          await regulars.allServed()
          const [before, failed] = [regulars.visits.length, regulars.failed]
          program.signal("SIGUSR2")
          await regulars.until(() => regulars.losses.length >= returning && regulars.served === returning)
          const { forced } = await program.logged("rolling restart done", 1)
          if (forced !== 0) throw new Error(`${forced} processes had to force a connection`)
          regulars.verify(returning)
          return measured(regulars.visits.slice(before), regulars.losses[0]!.at, regulars.failed - failed)
        }),
    ),
}
