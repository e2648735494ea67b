/**
 * A server whose memory is looked at, on any runtime: a module that serves by itself, or one whose default export is a
 * service. It calls back to who measures, and at each byte from there collects garbage and answers with what the runtime
 * says of its memory.
 *
 * ```
 * bench/trials/idleServer.ts MODULE CONNECTIONS CONTROL_PORT
 * ```
 */
import { connect } from "node:net"
import process from "node:process"
import { setTimeout as sleep } from "node:timers/promises"
import { pathToFileURL } from "node:url"

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

const [module, connections, control] = process.argv.slice(2)

const socket = connect(Number(control), "127.0.0.1").on("data", async () => {
  // What is freed in one round may hold what is freed in the next.
  for (let round = 0; round < 5; round++) {
    collect()
    await sleep(50)
  }
  const { heapUsed, external } = process.memoryUsage()
  socket.write(`${JSON.stringify({ heapUsed, external } satisfies Memory)}\n`)
}).on("close", () => process.exit(1)) // who measures has ended

const { default: service } = await import(pathToFileURL(module!).href)
if (service !== undefined) {
  const { start } = await import("../../ops/start.ts")
  const { address } = await start(service, {
    address: "127.0.0.1:0",
    limits: { maxConnections: Number(connections) },
  })
  process.stderr.write(`${JSON.stringify({ message: "listening", address })}\n`)
}
