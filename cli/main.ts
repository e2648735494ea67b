#!/usr/bin/env node
/**
 * The command line. Results go to stdout, everything else to stderr.
 *
 * Exit codes: 0 done · 1 failed while running, or a drain had to force · 2 bad usage or configuration, with one line
 * that says what to change · 130, 143 ended at once by a second signal.
 */
import * as NodeChildProcessSpawner from "@effect/platform-node-shared/NodeChildProcessSpawner"
import * as NodeFileSystem from "@effect/platform-node-shared/NodeFileSystem"
import * as NodePath from "@effect/platform-node-shared/NodePath"
import * as NodeStdio from "@effect/platform-node-shared/NodeStdio"
import * as NodeTerminal from "@effect/platform-node-shared/NodeTerminal"
import * as Cause from "effect/Cause"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import { TerminalCapabilities } from "effect/cli/TerminalCapabilities"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import process from "node:process"
import manifest from "../package.json" with { type: "json" }
import { serve } from "./serve.ts"

let code = 0

const anyport = Command.make("anyport").pipe(
  Command.withDescription(manifest.description),
  Command.withSubcommands([serve((exit) => {
    code = exit
  })]),
)

// Help and version as the library prints them; what is wrong with the invocation is one line of ours, at the end.
const presenter: CliOutput.Presenter = {
  present: (event) => event._tag === "InvalidInvocation" ? Effect.void : CliOutput.defaultPresenter.present(event),
}

// Deno lets nobody read the environment without a permission; then nothing is known of the terminal and help is plain.
const terminal = (): TerminalCapabilities => {
  try {
    return TerminalCapabilities.defaultValue()
  } catch {
    return { canColor: false, canAnimate: false, canPrompt: false }
  }
}

const services = Layer.mergeAll(
  NodeStdio.layer,
  NodeTerminal.layer,
  Layer.provideMerge(NodeChildProcessSpawner.layer, Layer.mergeAll(NodeFileSystem.layer, NodePath.layer)),
  CliOutput.layerPresenter(presenter),
  Layer.sync(TerminalCapabilities, terminal),
  CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions, GlobalFlag.LogLevel] }),
)

const program = Command.runWith(anyport, { version: manifest.version })(process.argv.slice(2))

const exit = await Effect.runPromiseExit(Effect.provide(program, services))
if (Exit.isFailure(exit)) code = report(exit.cause)
process.exit(code)

function report(cause: Cause.Cause<unknown>): number {
  const failure = cause.reasons.find(Cause.isFailReason)
  if (failure === undefined) {
    process.stderr.write(`anyport: ${Cause.pretty(cause)}\n`)
    return 1
  }
  const { error } = failure
  if (!(error instanceof Error)) return say(String(error), 1)
  const { _tag, errors } = error as Error & { readonly _tag?: string; readonly errors?: ReadonlyArray<Error> } // tagged, if one of ours
  if (_tag === "ShowHelp") return errors?.[0] === undefined ? 0 : say(`${errors[0].message} (see anyport --help)`, 2)
  return say(error.message, _tag === "UsageError" || _tag === "ListenError" ? 2 : 1)
}

function say(message: string, exitCode: number): number {
  process.stderr.write(`anyport: ${message.replace(/\s+/g, " ")}\n`)
  return exitCode
}
