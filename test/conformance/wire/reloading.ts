/**
 * A program that tells systemd, at NOTIFY_SOCKET, that it is ready, that it reloads for half a second, and that it is
 * ready again. It ends with its standard input.
 */
import * as Effect from "effect/Effect"
import process from "node:process"
import * as Environment from "../../../ops/environment.ts"
import { make } from "../../../ops/systemd/systemd.ts"

const systemd = await Effect.runPromise(Effect.scoped(make(Environment.take("NOTIFY_SOCKET")!, console.error)))
systemd.started(() => ({ text: "0 connections", draining: false }))
await Effect.runPromise(systemd.reload(Effect.sleep(500)))
process.stdin.on("end", () => process.exit(0)).resume()
