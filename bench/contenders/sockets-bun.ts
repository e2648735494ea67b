/**
 * What the hand-written servers share on `Bun.listen`: listening, what of a chunk no message has ended in, what the kernel
 * has not taken, and half-closes. They have no limit and no deadline.
 */
interface State {
  /** Received, and not answered yet. */
  rest: Uint8Array
  /** What the kernel has not taken yet. */
  unsent: Uint8Array
  ended: boolean
}

/** A connection, as Bun gives it. */
export interface Socket {
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

/** Sends the first bytes of memory that the caller goes on using. */
export const send = (socket: Socket, bytes: Uint8Array, size: number): void => {
  const state = socket.data
  // A paused socket may still give one chunk.
  if (state.unsent.length > 0) {
    state.unsent = concat(state.unsent, bytes.subarray(0, size))
    return
  }
  const taken = socket.write(bytes, 0, size)
  if (taken < size) {
    state.unsent = bytes.slice(taken, size)
    socket.pause()
  }
}

/** Serves on a free port. `answer` is given what was received and not answered yet, and returns how much it has used up. */
export const serve = (answer: (bytes: Uint8Array, socket: Socket) => number): void => {
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
        const bytes = state.rest.length === 0 ? chunk : concat(state.rest, chunk)
        const used = answer(bytes, socket)
        state.rest = used === bytes.length ? none : bytes.slice(used)
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
}
