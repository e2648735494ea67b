/** What a client needs in these steps, over `node:net`: connect, exchange, wait. Not a step itself. */
import { once } from "node:events"
import * as net from "node:net"

/** Connects to an address such as `127.0.0.1:9000`. */
export const connect = async (address: string): Promise<net.Socket> => {
  const socket = open(address)
  await once(socket, "connect")
  return socket
}

/** Sends text and its FIN. Resolves with all that came back once the connection is over, however it ended. */
export const exchange = async (address: string, text: string): Promise<string> => {
  const socket = open(address)
  let received = ""
  socket.setEncoding("utf8").on("data", (chunk) => received += chunk)
  socket.end(text)
  await new Promise((resolve) => socket.on("close", resolve))
  return received
}

/** Looks again every few milliseconds until it is so. */
export const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5))
}

const open = (address: string): net.Socket => {
  const [host, port] = address.split(":")
  return net.connect({ host: host!, port: Number(port) }).on("error", () => {}) // "close" follows
}
