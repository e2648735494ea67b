/**
 * Shows that memory stays flat while a peer misbehaves: 1 GiB without a newline to a server of lines that skips what is
 * too long (`scripts/memory/skipping.ts`) and to one that fails (`serve echo`), and requests without end from a client
 * that never reads a reply. Prints the server's resident memory before, at its peak and after. Needs Linux (`/proc`).
 *
 * ```
 * node scripts/memory.ts [--runtime node|bun|deno] [--mebibytes 1024] [--record]
 * ```
 * `--record` writes the figures into the README.
 * Exit code 1 when a peak is more than 192 MiB above the beginning or the server does not behave as said.
 */
import { once } from "node:events"
import { connect, type Socket } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { type Child, memory, type Runtime, runtimes, serve, start } from "./child.ts"
import { machine, type Memory, record } from "./figures.ts"
import { read, refuse } from "./flags.ts"

/**
 * The most that the peak may be above the beginning, in MiB. A server that keeps nothing at all still shows about 100 on
 * Node after 1 GiB, because the buffers it read are garbage for a while.
 */
const allowance = 192

/** The most that one case may take, in milliseconds. */
const patience = 60_000

const flags = read({
  runtime: { type: "string", multiple: true },
  mebibytes: { type: "string", default: "1024" },
  record: { type: "boolean", default: false },
})
const chosen = runtimes.filter((runtime) => flags.runtime?.includes(runtime) ?? true)
const mebibytes = Number(flags.mebibytes)
if (chosen.length === 0 || !(mebibytes >= 1)) {
  refuse("Cannot measure: --runtime takes node, bun or deno, --mebibytes a number from 1")
}
if (flags.record && (chosen.length < runtimes.length || mebibytes < 1_024)) {
  refuse("Cannot record a part: --record wants every --runtime and at least 1024 --mebibytes")
}

/** What a client does to a server; resolves to what happened, rejects when that is not what must happen. */
type Misbehaviour = (socket: Socket) => Promise<string>

const mebibyte = Buffer.alloc(1 << 20, "x")

/** Sends until all is taken, the connection ends or nothing moves for 3 s; resolves to the MiB that left this process. */
const flood = async (socket: Socket, bytes: Buffer): Promise<number> => {
  const deadline = performance.now() + patience
  for (let sent = 0; sent < mebibytes && !socket.destroyed && performance.now() < deadline; sent++) {
    if (!socket.write(bytes) && !await moves(socket)) break
  }
  return (socket.bytesWritten - socket.writableLength) / bytes.length
}

/** Whether a full socket drains or closes within 3 s. */
const moves = (socket: Socket): Promise<boolean> =>
  new Promise((resolve) => {
    const settle = (moved: boolean): void => {
      clearTimeout(timer)
      socket.off("drain", onMove).off("close", onMove)
      resolve(moved)
    }
    const onMove = (): void => settle(true)
    const timer = setTimeout(() => settle(false), 3_000)
    socket.on("drain", onMove).on("close", onMove)
  })

const within = <A>(event: Promise<A>, what: string): Promise<A> =>
  Promise.race([
    event,
    sleep(20_000, undefined, { ref: false }).then(() => {
      throw new Error(`Server did not ${what} within 20 s`)
    }),
  ])

const skipped: Misbehaviour = async (socket) => {
  const sent = await flood(socket, mebibyte)
  socket.write("\nhello\n")
  const [reply] = await within(once(socket, "data"), "answer the line after it")
  if (sent < mebibytes || String(reply) !== "5\n") throw new Error(`took ${sent} MiB, then answered ${reply}`)
  return `took ${sent} MiB, then answered a line`
}

const failed: Misbehaviour = async (socket) => {
  socket.resume()
  const sent = await flood(socket, mebibyte)
  if (!socket.destroyed) await within(once(socket, "close"), "close the connection")
  if (sent > mebibytes / 2) throw new Error(`took ${sent} MiB before it closed`)
  return `closed after at most ${Math.ceil(sent)} MiB`
}

const requests = Buffer.from("a request of 32 bytes, no more.\n".repeat(1 << 15))

const unread: Misbehaviour = async (socket) => {
  socket.pause()
  const sent = await flood(socket, requests)
  if (sent > mebibytes / 2) throw new Error(`took ${sent} MiB of requests whose replies nobody reads`)
  return socket.destroyed ? `closed after ${sent.toFixed(1)} MiB` : `stopped reading after ${sent.toFixed(1)} MiB`
}

const cases: ReadonlyArray<{ readonly name: string; readonly service: string; readonly act: Misbehaviour }> = [
  { name: "no newline, skip", service: "./scripts/memory/skipping.ts", act: skipped },
  { name: "no newline, fail", service: "echo", act: failed },
  { name: "replies unread", service: "echo", act: unread },
]

const rows: Array<Memory["rows"][number]> = []

const report = async (runtime: Runtime, { name, service, act }: typeof cases[number]): Promise<boolean> => {
  let child: Child | undefined
  try {
    child = await start(serve(runtime, service))
    const socket = connect(child.port, "127.0.0.1").on("error", () => {}) // a reset is one way of closing
    await once(socket, "connect")
    const before = memory(child.pid)
    const what = await act(socket)
    socket.destroy()
    await sleep(1_000) // what is left after the connection, not while it goes
    const after = memory(child.pid)
    const rise = after.peak - before.now
    const flat = rise <= allowance
    rows.push({ runtime, name, rise })
    const figures = [before.now, after.peak, after.now].map((value) => value.toFixed(0).padStart(7))
    console.log(`${runtime.padEnd(8)} ${name.padEnd(17)} ${figures.join(" ")}  ${what}${flat ? "" : "  NOT FLAT"}`)
    return flat
  } catch (error) {
    console.log(`${runtime.padEnd(8)} ${name.padEnd(17)} FAILED  ${error instanceof Error ? error.message : error}`)
    return false
  } finally {
    await child?.stop()
  }
}

console.log("Resident memory of the server in MiB")
console.log("runtime  case               before    peak   after")
let failures = 0
for (const runtime of chosen) {
  for (const one of cases) if (!await report(runtime, one)) failures++
}
if (failures > 0) {
  console.error(
    `Not flat or not as said in ${failures} of ${chosen.length * cases.length} cases; allowed: ${allowance} MiB more`,
  )
  process.exitCode = 1
} else if (flags.record) {
  record("memory", { machine: machine(), rows })
}
