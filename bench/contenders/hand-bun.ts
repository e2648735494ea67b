/**
 * The tightest line server that a person writes by hand on `Bun.listen`, doing the work that a service does: every line
 * is a string of its own, a function answers it, and all replies of a chunk leave in one write. The baseline of
 * `scripts/cpu.ts`. It has no limit and no deadline; lines and characters split between chunks, partial writes and
 * half-closes are right.
 */
interface State {
  /** The line that has not ended yet. */
  rest: Uint8Array
  /** What the kernel has not taken yet. */
  unsent: Uint8Array
  ended: boolean
}

interface Socket {
  data: State
  write(bytes: Uint8Array, offset?: number, length?: number): number
  setNoDelay(on: boolean): void
  pause(): void
  resume(): void
  end(): void
}

declare const Bun: {
  listen(options: {
    hostname: string
    port: number
    allowHalfOpen: boolean
    socket: {
      open(socket: Socket): void
      data(socket: Socket, chunk: Uint8Array): void
      drain(socket: Socket): void
      end(socket: Socket): void
      error(): void
    }
  }): { readonly port: number }
}

const none = new Uint8Array(0)

const concat = (a: Uint8Array, b: Uint8Array): Uint8Array => {
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}

const reply = (line: string): string => `echo: ${line}\n`
const newline = 10
const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { ignoreBOM: true })
let out = new Uint8Array(1 << 16)

const server = Bun.listen({
  hostname: "127.0.0.1",
  port: 0,
  allowHalfOpen: true,
  socket: {
    open(socket) {
      socket.data = { rest: none, unsent: none, ended: false }
      socket.setNoDelay(true)
    },
    data(socket, chunk) {
      const state = socket.data
      if (state.rest.length > 0) {
        chunk = concat(state.rest, chunk)
        state.rest = none
      }
      const end = chunk.lastIndexOf(newline)
      if (end < chunk.length - 1) state.rest = chunk.slice(end + 1)
      if (end === -1) return
      let replies = ""
      for (const line of decoder.decode(chunk.subarray(0, end)).split("\n")) replies += reply(line)
      if (out.length < replies.length * 3) out = new Uint8Array(replies.length * 3)
      const size = encoder.encodeInto(replies, out).written
      // A paused socket may still give one chunk.
      if (state.unsent.length > 0) {
        state.unsent = concat(state.unsent, out.subarray(0, size))
        return
      }
      const taken = socket.write(out, 0, size)
      if (taken < size) {
        state.unsent = out.slice(taken, size)
        socket.pause()
      }
    },
    drain(socket) {
      const state = socket.data
      if (state.unsent.length === 0) return
      state.unsent = state.unsent.subarray(socket.write(state.unsent))
      if (state.unsent.length > 0) return
      if (state.ended) socket.end()
      else socket.resume()
    },
    end(socket) {
      socket.data.ended = true
      if (socket.data.unsent.length === 0) socket.end()
    },
    error() {},
  },
})

console.error(JSON.stringify({ message: "listening", address: `127.0.0.1:${server.port}` }))
export {}
