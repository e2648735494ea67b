/**
 * Connections that have each exchanged one line and then are silent, all held by this process.
 */
import { connect, type Socket } from "node:net"

/** All of them. */
export interface Crowd {
  /** Why one was lost; undefined while all are there. */
  readonly lost: () => string | undefined
  readonly disperse: () => void
}

/** So many connect at once: less than a backlog. */
const abreast = 200
/** The most that connecting may take, in milliseconds. */
const patience = 120_000

const line = "hello\n"
const reply = Buffer.from("echo: hello\n")

/** Opens connections to a port of loopback; resolves once all have had their answer. */
export const gather = async (port: number, connections: number): Promise<Crowd> => {
  const sockets = new Set<Socket>()
  let lost: string | undefined
  let over = false
  const disperse = (): void => {
    over = true
    for (const socket of sockets) socket.destroy()
  }
  const open = (): Promise<void> =>
    new Promise((resolve, reject) => {
      let received = Buffer.alloc(0)
      const fail = (why: string): void => {
        if (over) return
        lost ??= why
        reject(new Error(`Cannot hold ${connections} connections: ${why}`))
      }
      const socket = connect({ host: "127.0.0.1", port, noDelay: true })
      sockets.add(socket)
      socket
        .on("connect", () => socket.write(line))
        .on("data", (chunk) => {
          received = Buffer.concat([received, chunk])
          if (!reply.subarray(0, received.length).equals(received)) return fail(`the server answered ${received}`)
          if (received.length === reply.length) resolve()
        })
        .on("error", (error) => fail(error.message))
        .on("close", () => fail("the server closed one"))
    })
  const timer = setTimeout(() => {
    for (const socket of sockets) socket.destroy(new Error(`not all were there after ${patience / 1_000} s`))
  }, patience)
  let left = connections
  const worker = async (): Promise<void> => {
    while (left-- > 0) await open()
  }
  try {
    await Promise.all(Array.from({ length: abreast }, worker))
  } catch (error) {
    disperse()
    throw error
  } finally {
    clearTimeout(timer)
  }
  return { lost: () => lost, disperse }
}
