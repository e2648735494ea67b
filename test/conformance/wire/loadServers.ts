/** Servers for the command line's load: small ones over `node:net` that count what comes. */
import { createServer, type Server, type Socket } from "node:net"

/** A server that a test asks about. */
export interface LineServer {
  readonly port: number
  /** Lines that came. */
  readonly lines: () => number
  /** Ends all connections, and lets nobody in any more. */
  readonly die: () => void
}

const open = new Set<LineServer>()

/** Listens on a free port of 127.0.0.1, and answers each line; undefined is no answer. */
export const listen = (
  answer: (line: string, count: number, server: LineServer) => string | undefined,
): Promise<LineServer> =>
  new Promise((done) => {
    let lines = 0
    const sockets = new Set<Socket>()
    const server: Server = createServer({ noDelay: true }, (socket) => {
      sockets.add(socket)
      socket.on("close", () => sockets.delete(socket)).on("error", () => {})
      let rest = ""
      socket.setEncoding("utf8").on("data", (text: string) => {
        const all = (rest + text).split("\n")
        rest = all.pop()!
        let replies = ""
        for (const line of all) replies += answer(line, ++lines, self) ?? ""
        if (replies !== "" && !socket.destroyed) socket.write(replies)
      })
    })
    const self: LineServer = {
      get port() {
        return (server.address() as { readonly port: number }).port // it is of TCP
      },
      lines: () => lines,
      die() {
        open.delete(self)
        server.close()
        for (const socket of sockets) socket.destroy()
      },
    }
    open.add(self)
    server.listen(0, "127.0.0.1", 1_024, () => done(self))
  })

/** Answers each line by itself. */
export const echo = (): Promise<LineServer> => listen((line) => `${line}\n`)

/** Ends all servers that are left. */
export const closeAll = (): void => open.forEach((server) => server.die())
