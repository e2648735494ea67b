/** A WebSocket as a Transport, on every runtime, against `ws` as a server on Node. */
import { once } from "node:events"
import { createServer } from "node:http"
import { type AddressInfo, createServer as createTcpServer } from "node:net"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type WebSocket, WebSocketServer } from "ws"
import { Child } from "./child.ts"

const http = createServer()
const sockets = new WebSocketServer({ noServer: true, maxPayload: 32 * 1024 * 1024 })
const garbage = createTcpServer((socket) => {
  socket.on("error", () => {})
  socket.once("data", () => socket.end("SSH-2.0-x\r\n"))
})
const deaf = new Set<WebSocket>()

const serve: Record<string, (socket: WebSocket) => void> = {
  "/echo": (socket) => socket.on("message", (message, binary) => socket.send(message, { binary })),
  "/early": (socket) => {
    for (const message of ["one", "two"]) socket.send(message)
    socket.close(1000)
  },
  "/many": (socket) =>
    socket.once("message", () => {
      for (let index = 0; index < 2_000; index++) socket.send("x".repeat(2_000))
      socket.close(1000)
    }),
  "/deaf": (socket) => {
    socket.pause()
    deaf.add(socket)
  },
  "/hear": () => {
    for (const socket of deaf) socket.resume()
  },
  "/ping": (socket) => {
    socket.on("pong", (data) => {
      socket.send(`pong ${String(data)}`)
      socket.close(1000)
    })
    socket.ping("hi")
  },
  "/close/1001": (socket) => socket.close(1001, "away"),
  "/close/1011": (socket) => socket.close(1011, "sorry"),
  "/terminate": (socket) => socket.terminate(),
  "/large": (socket) => socket.send(new Uint8Array(16 * 1024 * 1024 + 1)),
}

http.on("upgrade", (request, socket, head) => {
  const path = request.url ?? ""
  socket.on("error", () => {})
  if (path === "/refuse") return void socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
  sockets.handleUpgrade(request, socket, head, (one) => {
    one.on("error", () => {})
    // A frame with bits that nobody has agreed on.
    if (path === "/garbage") socket.write(new Uint8Array([0xf1, 1, 65]))
    serve[path]?.(one)
  })
})

let ports: ReadonlyArray<string> = []

beforeAll(async () => {
  const dead = createTcpServer()
  for (const server of [http, garbage, dead]) {
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
  }
  // As they were bound.
  ports = [http, dead, garbage].map((server) => String((server.address() as AddressInfo).port))
  dead.close()
})

afterAll(() => {
  for (const socket of sockets.clients) socket.terminate()
  http.close()
  garbage.close()
})

const commands: Record<string, ReadonlyArray<string>> = {
  node: ["node"],
  bun: ["bun"],
  // What `ws` looks for in the environment: whether it is to load code of the machine's own.
  deno: [
    ...["deno", "run", "--no-prompt", "--quiet", "--allow-net=127.0.0.1"],
    "--allow-env=WS_NO_BUFFER_UTIL,WS_NO_UTF_8_VALIDATE",
  ],
}

const wanted: Record<string, unknown> = {
  echo: {
    seen: ["text één", "binary two", "text ", "binary of 1000000", "text of 300", "fin", "closed Finished", 0],
  },
  many: { seen: true },
  early: { seen: ["text one", "text two", "fin", "closed Finished"] },
  pause: { seen: { whilePaused: 3, messages: 2_000, inside: 0, last: ["fin", "closed Finished"] } },
  backpressure: { seen: { bounded: true, most: true, writableBefore: false } },
  abort: { seen: ["closed Aborted", 0] },
  ping: { seen: ["text pong hi", "fin", "closed Finished"] },
  going: { seen: ["fin", "closed Finished"] },
  error: { seen: ["closed Failed the server closed with 1011: sorry"] },
  broken: { seen: ["closed Reset"] },
  large: { seen: ["none ", "closed Failed Max payload size exceeded"] },
  garbage: { seen: ["none ", "closed Failed Invalid WebSocket frame: RSV2 and RSV3 must be clear"] },
  garbageAborted: { seen: ["none ", "closed Aborted"] },
  refused: {
    problem: "HandshakeFailed",
    message: "Cannot connect to it: it did not answer as its protocol wants " +
      "(it answered 403 Forbidden, wanted is 101 Switching Protocols)",
  },
  dead: { problem: "Refused", message: "Cannot connect to it: nobody is listening there" },
  noServer: {
    problem: "HandshakeFailed",
    message: "Cannot connect to it: it did not answer as its protocol wants " +
      "(Parse Error: Expected HTTP/, RTSP/ or ICE/)",
  },
}

describe.each(Object.entries(commands))("%s", (_, command) => {
  let lines: ReadonlyArray<{ readonly name: string }> = []
  let errors = ""

  beforeAll(async () => {
    const { stdout, stderr } = await new Child([...command, "test/conformance/wire/loadWebSocket.main.ts", ...ports])
      .ended
    errors = stderr
    lines = stdout.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line))
  }, 60_000)

  it.each(Object.keys(wanted))("%s", (name) => {
    const line = lines.find((line) => line.name === name)
    expect(line ?? errors).toEqual({ name, ...wanted[name] as object })
  })
})
