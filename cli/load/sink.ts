/**
 * Gives every byte back, as cheaply as this runtime can: what a generator is measured against. A program of its own, so
 * that its CPU time is nobody else's.
 *
 * It listens on a free port of 127.0.0.1, prints `{"port": …}`, and ends when its standard input does. It needs no
 * permission but that of listening there. Nothing here is the server of this project, nor fit to be one: it has no limits
 * but that it does not read from whom it cannot write to.
 */
import * as net from "node:net"
import process from "node:process"

const hostname = "127.0.0.1"

const ofNode = (ready: (port: number) => void): void => {
  const server = net.createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => socket.destroy())
    socket.on("drain", () => socket.resume())
    socket.on("data", (chunk) => {
      if (!socket.write(chunk)) socket.pause()
    })
  })
  server.listen(0, hostname, 4_096, () => {
    const address = server.address()
    if (address !== null && typeof address === "object") ready(address.port)
  })
}

const ofBun = ({ listen }: BunLike, ready: (port: number) => void): void => {
  const { port } = listen({
    hostname,
    port: 0,
    data: undefined,
    allowHalfOpen: false,
    socket: {
      open: (socket) => void socket.setNoDelay(true),
      data: (socket, chunk) => {
        const rest = socket.data
        // What could not be written waits, and nothing more is read meanwhile but what was on its way.
        if (rest !== undefined) return void (socket.data = joined(rest, chunk))
        const taken = Math.max(0, socket.write(chunk))
        if (taken === chunk.length) return
        socket.data = chunk.slice(taken)
        socket.pause()
      },
      drain: (socket) => {
        const rest = socket.data
        if (rest === undefined) return
        const taken = Math.max(0, socket.write(rest))
        socket.data = taken === rest.length ? undefined : rest.subarray(taken)
        if (socket.data === undefined) socket.resume()
      },
      error: () => {},
    },
  })
  ready(port)
}

const joined = (one: Uint8Array, other: Uint8Array): Uint8Array => {
  const both = new Uint8Array(one.length + other.length)
  both.set(one)
  both.set(other, one.length)
  return both
}

const ofDeno = ({ listen }: DenoLike, ready: (port: number) => void): void => {
  const echo = async (connection: DenoConnection): Promise<void> => {
    const buffer = new Uint8Array(64 * 1024)
    try {
      connection.setNoDelay(true)
      for (let count = await connection.read(buffer); count !== null; count = await connection.read(buffer)) {
        for (let sent = 0; sent < count;) sent += await connection.write(buffer.subarray(sent, count))
      }
    } catch {
      // Reset: there is nobody to tell.
    }
    connection.close()
  }
  const listener = listen({ hostname, port: 0, tcpBacklog: 4_096 })
  const accept = async (): Promise<void> => {
    for await (const connection of listener) void echo(connection)
  }
  void accept()
  ready(listener.addr.port)
}

interface BunSocket {
  data: Uint8Array | undefined
  write(bytes: Uint8Array): number
  pause(): void
  resume(): void
  setNoDelay(on: boolean): boolean
}

interface BunLike {
  listen(options: {
    readonly hostname: string
    readonly port: number
    readonly data: undefined
    readonly allowHalfOpen: boolean
    readonly socket: {
      open(socket: BunSocket): void
      data(socket: BunSocket, chunk: Uint8Array): void
      drain(socket: BunSocket): void
      error(): void
    }
  }): { readonly port: number }
}

interface DenoConnection {
  read(buffer: Uint8Array): Promise<number | null>
  write(bytes: Uint8Array): Promise<number>
  setNoDelay(on: boolean): void
  close(): void
}

interface DenoLike {
  listen(options: {
    readonly hostname: string
    readonly port: number
    readonly tcpBacklog: number
  }): AsyncIterable<DenoConnection> & { readonly addr: { readonly port: number } }
}

const { Bun, Deno } = globalThis as { readonly Bun?: BunLike; readonly Deno?: DenoLike } // there where they are

const ready = (port: number): void => console.log(JSON.stringify({ port }))
if (Bun !== undefined) ofBun(Bun, ready)
else if (Deno !== undefined) ofDeno(Deno, ready)
else ofNode(ready)

process.stdin.on("end", () => process.exit(0)).on("close", () => process.exit(0)).resume()
