/**
 * A worker as a child process, with a channel over which it says that it is ready and is asked to end.
 *
 * Orders go over the channel and not by signals: Deno takes a child for ended as soon as it has sent one a SIGTERM, and
 * closes the channel, whatever the child does then.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { type ChildProcess, spawn } from "node:child_process"
import type { Order, Report } from "./Channel.ts"
import { Inquiry } from "./Inquiry.ts"
import type { Ledger } from "./Ledger.ts"
import type { End, Ready, Worker } from "./Supervisor.ts"

/** Starts a process by a command. It writes where this process writes, and has this process's environment. */
export const run = ([name, ...args]: ReadonlyArray<string>): ChildProcess =>
  spawn(name!, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] }) // a command has a name

/** A worker in a process that `launch` starts. Its accounts are added to the ledger. */
export const start = (launch: () => ChildProcess, ledger: Ledger): Effect.Effect<Worker> =>
  Effect.sync(() => {
    const ready = Deferred.makeUnsafe<Ready>()
    const ended = Deferred.makeUnsafe<End>()
    const end = (end: End): void => void Deferred.doneUnsafe(ended, Exit.succeed(end))
    const failed = (error: unknown): void => {
      // Also what could not be sent is an error of the child; who is there still is known by its end.
      if (child?.pid === undefined) {
        end({ code: undefined, how: error instanceof Error ? error.message : String(error) })
      }
    }
    let child: ChildProcess | undefined
    try {
      child = launch()
    } catch (error) {
      failed(error) // Bun and Deno throw what Node emits
    }
    child?.on("error", failed)
    child?.on("exit", (code, signal) => {
      end({ code: code ?? undefined, how: signal ?? `exit code ${code}` })
    })
    child?.on("message", (message) => {
      const report = message as Report | null // the worker is this program; what its service may send has no such tag
      if (report?._tag === "Ready") Deferred.doneUnsafe(ready, Exit.succeed(report))
      if (report?._tag === "Account") {
        inquiry.answer(report.account)
        if (report.last) tell({ _tag: "Taken" })
      }
    })
    const tell = (order: Order): void => {
      if (child?.connected) child.send(order, () => {})
    }
    const inquiry = new Inquiry(() => tell({ _tag: "Account" }), ledger)
    return {
      inquiry,
      pid: child?.pid,
      ready: Deferred.await(ready),
      ended: Deferred.await(ended),
      drain: () => tell({ _tag: "Drain" }),
      abort: (code) => tell({ _tag: "Abort", code }),
      kill() {
        child?.kill("SIGKILL")
      },
    }
  })
