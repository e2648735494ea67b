/**
 * A server of `scripts/idle.ts`, on any runtime: one written by hand, or a service by Anyport. It calls back to the
 * script, and at each byte from there collects garbage and answers with what the runtime says of its memory.
 *
 * ```
 * scripts/idle/server.ts ../../bench/contenders/hand-node.ts|respond|session CONNECTIONS CONTROL_PORT
 * ```
 */
import { connect } from "node:net"
import process from "node:process"
import { setTimeout as sleep } from "node:timers/promises"

/** What a runtime says of its own memory, in bytes. */
export interface Memory {
  readonly heapUsed: number
  /** Memory outside of the heap that its objects own, ArrayBuffers included. */
  readonly external: number
}

// On the runtimes where they are; Node and Deno are started so that there is a `gc`.
declare const Bun: { gc(wait: boolean): void } | undefined
declare const gc: ((options: object) => void) | undefined

// V8's last resort gives the room for garbage back, of which there is more the faster connections came.
const collect = (): void =>
  typeof Bun === "undefined" ? gc!({ type: "major", execution: "sync", flavor: "last-resort" }) : Bun.gc(true)

const [kind, connections, control] = process.argv.slice(2)

const socket = connect(Number(control), "127.0.0.1").on("data", async () => {
  // What is freed in one round may hold what is freed in the next.
  for (let round = 0; round < 5; round++) {
    collect()
    await sleep(50)
  }
  const { heapUsed, external } = process.memoryUsage()
  socket.write(`${JSON.stringify({ heapUsed, external } satisfies Memory)}\n`)
}).on("close", () => process.exit(1)) // the script has ended

if (kind!.endsWith(".ts")) {
  await import(kind!)
} else {
  const [{ start }, { default: service }] = await Promise.all([
    import("anyport/start"),
    kind === "session" ? import("./session.ts") : import("../../services/echo.ts"),
  ])
  const limits = { maxConnections: Number(connections) }
  const { address } = await start(service, { address: "127.0.0.1:0", limits })
  console.error(JSON.stringify({ message: "listening", address }))
}
