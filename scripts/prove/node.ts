/**
 * The shortest line server on `node:net`, after the example of `net.createServer` and the events of `net.Socket` in
 * https://nodejs.org/api/net.html. Kinder than that example: it keeps the line that has not ended, and an error of one
 * socket does not end the process.
 */
import { type AddressInfo, createServer } from "node:net"
import { file } from "./file.ts"

const server = createServer((socket) => {
  let rest = ""
  socket.on("data", (data) => {
    const lines = (rest + data.toString()).split("\n")
    rest = lines.pop()!
    for (const line of lines) {
      if (line === "file") socket.end(`${file}\n`)
      else socket.write(`echo: ${line}\n`)
    }
  })
  socket.on("error", (error) => console.error(error.message))
})
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo // as of every TCP server
  console.error(JSON.stringify({ message: "listening", address: `127.0.0.1:${port}` }))
})
