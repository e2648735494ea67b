/**
 * The engine of `anyport load`: plans, runs and results, for programs that make load themselves. A layer of `anyport/node`,
 * `anyport/bun`, `anyport/deno` or `anyport/auto` connects; over `anyport/memory` a run needs no network.
 *
 * What a command line says as text is read by the `parse` of each module, which returns what it means or a `Problem`.
 *
 * @module
 */
export * as Beat from "./Beat.ts"
export * as Expectation from "./Expectation.ts"
export * as FindMax from "./FindMax.ts"
export * as Fit from "./Fit.ts"
export * as Framing from "./Framing.ts"
export * as Hello from "./Hello.ts"
export { hgrm } from "./Hgrm.ts"
export * as Hostile from "./hostile/Hostile.ts"
export { merge } from "./Merge.ts"
export * as MessageFile from "./MessageFile.ts"
export * as Messages from "./Messages.ts"
export type { Interval, Outcome } from "./Outcome.ts"
export type * from "./Plan.ts"
export { isProblem, type Problem } from "./Problem.ts"
export { type Failure, Recorder } from "./Recorder.ts"
export { remedy } from "./Remedy.ts"
export * as Report from "./report/Report.ts"
export * as Result from "./Result.ts"
export * as Run from "./Run.ts"
export * as Schedule from "./Schedule.ts"
export * as Simulation from "./Simulation.ts"
export * as Sources from "./Sources.ts"
export * as Stages from "./Stages.ts"
export { summary } from "./Summary.ts"
export * as Target from "./Target.ts"
export * as Template from "./Template.ts"
export * as Threshold from "./Threshold.ts"
export { type Verdict, verdict } from "./Verdict.ts"
