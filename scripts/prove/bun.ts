/**
 * The shortest line server on `Bun.listen`, after the examples "Start a server" and "Attach contextual data" of
 * https://bun.sh/docs/api/tcp, whose handlers call `socket.write` and leave it at that. (Further down, "Buffering" says
 * that `write` may take less than it was given.) Kinder than those examples: it keeps the line that has not ended.
 */
import { file } from "./file.ts"

const server = Bun.listen<{ rest: string }>({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    open(socket) {
      socket.data = { rest: "" }
    },
    data(socket, data) {
      const lines = (socket.data.rest + data.toString()).split("\n")
      socket.data.rest = lines.pop()!
      for (const line of lines) {
        if (line === "file") socket.end(`${file}\n`)
        else socket.write(`echo: ${line}\n`)
      }
    },
    error(_socket, error) {
      console.error(error.message)
    },
  },
})
console.error(JSON.stringify({ message: "listening", address: `127.0.0.1:${server.port}` }))

// For this repository's type checker, which does not know Bun.
declare namespace Bun {
  interface Socket<Data> {
    data: Data
    write(text: string): number
    end(text: string): number
  }
  interface Handlers<Data> {
    open(socket: Socket<Data>): void
    data(socket: Socket<Data>, data: Buffer): void
    error(socket: Socket<Data>, error: Error): void
  }
  function listen<Data>(options: { hostname: string; port: number; socket: Handlers<Data> }): { port: number }
}
