/**
 * Holds listening sockets as systemd does, and starts a program with them again and again: it never accepts, because it
 * waits for the program without turning its event loop.
 *
 *     node holder.ts ADDRESS[,ADDRESS…] NAMES COMMAND…
 *
 * ADDRESS is 127.0.0.1 (on any free port) or the path of a Unix socket. It prints where it listens as one JSON line. Each
 * line of its standard input starts the program once more; it prints `ended CODE` when that has ended, and ends itself
 * with its input. The program says its process id on stderr first.
 */
import { spawnSync } from "node:child_process"
import { once } from "node:events"
import { readSync } from "node:fs"
import { createServer } from "node:net"
import process from "node:process"

const [addresses = "", names = "", ...command] = process.argv.slice(2)

const servers = await Promise.all(
  addresses.split(",").map(async (address) => {
    const server = createServer()
    server.listen(address.startsWith("/") ? { path: address } : { host: address, port: 0 })
    await once(server, "listening")
    return server
  }),
)
// The number of the descriptor is nowhere else.
const descriptors = servers.map((server) => (server as unknown as { _handle: { fd: number } })._handle.fd)
console.log(JSON.stringify(servers.map((server) => server.address())))

/** Waits for a line without turning the event loop, which would accept; false at the end of the input. */
const line = (): boolean => {
  for (;;) {
    try {
      return readSync(0, new Uint8Array(1)) > 0
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
    }
  }
}

while (line()) {
  const script = 'echo "pid $$" >&2; LISTEN_PID=$$ exec "$@"'
  const { status, signal } = spawnSync("sh", ["-c", script, "sh", ...command], {
    stdio: ["ignore", "inherit", "inherit", ...descriptors],
    env: { ...process.env, LISTEN_FDS: String(descriptors.length), LISTEN_FDNAMES: names },
  })
  console.log(`ended ${status ?? signal}`)
}
process.exit(0)
