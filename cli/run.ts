/**
 * Runs a command to its exit code. Results go to stdout, everything else to stderr.
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
import * as Permissions from "../ops/permissions.ts"
import { version } from "./version.ts"

/**
 * Runs a command with the arguments of this process, and then ends the process. What the command gives to `exit` is the
 * code of its success; 0 if it gives none.
 */
export const run = async <Name extends string, Input, Context, E>(
  make: (exit: (code: number) => void) => Command.Command<Name, Input, Context, E, Command.Environment>,
): Promise<never> => {
  let code = 0
  const command = make((exit) => {
    code = exit
  })
  const program = Command.runWith(command, { version })(process.argv.slice(2))
  const ended = await Effect.runPromiseExit(Effect.provide(program, services))
  process.exit(Exit.isFailure(ended) ? report(command.name, ended.cause) : code)
}

// Help and version as the library prints them; what is wrong with the invocation is one line of ours, at the end.
const presenter: CliOutput.Presenter = {
  present: (event) => event._tag === "InvalidInvocation" ? Effect.void : CliOutput.defaultPresenter.present(event),
}

// Deno stops and asks for each variable that may not be read; NO_COLOR it tells unasked, and no more is needed.
const terminal = (): TerminalCapabilities => {
  const variables = ["TERM", "NO_COLOR", "FORCE_COLOR"]
  if (variables.every((variable) => Permissions.granted({ name: "env", variable }))) {
    return TerminalCapabilities.defaultValue()
  }
  const { Deno } = globalThis as { readonly Deno?: { readonly noColor: boolean } } // its types are not here
  return { canColor: process.stdout.isTTY && Deno?.noColor !== true, canAnimate: false, canPrompt: false }
}

const services = Layer.mergeAll(
  NodeStdio.layer,
  NodeTerminal.layer,
  Layer.provideMerge(NodeChildProcessSpawner.layer, Layer.mergeAll(NodeFileSystem.layer, NodePath.layer)),
  CliOutput.layerPresenter(presenter),
  Layer.sync(TerminalCapabilities, terminal),
  CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions, GlobalFlag.LogLevel] }),
)

const report = (name: string, cause: Cause.Cause<unknown>): number => {
  const say = (message: string, code: number): number => {
    process.stderr.write(`${name}: ${message.replace(/\s+/g, " ")}\n`)
    return code
  }
  const failure = cause.reasons.find(Cause.isFailReason)
  if (failure === undefined) {
    process.stderr.write(`${name}: ${Cause.pretty(cause)}\n`)
    return 1
  }
  const { error } = failure
  if (!(error instanceof Error)) return say(String(error), 1)
  const { _tag, errors } = error as Error & { readonly _tag?: string; readonly errors?: ReadonlyArray<Error> } // tagged, if one of ours
  if (_tag === "ShowHelp") return errors?.[0] === undefined ? 0 : say(`${errors[0].message} (see ${name} --help)`, 2)
  return say(error.message, _tag === "UsageError" || _tag === "ListenError" || _tag === "SettingsError" ? 2 : 1)
}
