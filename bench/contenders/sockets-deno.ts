/**
 * What the hand-written servers share on `Deno.listen`: listening, what of a chunk no message has ended in, partial writes
 * and half-closes. They have no limit and no deadline.
 */
import { Output } from "./Output.ts"

/** A connection, as Deno gives it. */
export interface Conn {
  read(into: Uint8Array): Promise<number | null>
  write(bytes: Uint8Array): Promise<number>
  closeWrite(): Promise<void>
  close(): void
  setNoDelay(): void
}

declare const Deno: {
  listen(
    options: { hostname: string; port: number },
  ): { readonly addr: { readonly port: number }; accept(): Promise<Conn> }
}

/**
 * Serves on a free port. `answer` is given what was received and not answered yet, leaves what is to be sent in `output`,
 * and returns how much it has used up.
 */
export const serve = async (
  answer: (bytes: Uint8Array, output: Output, conn: Conn) => number | Promise<number>,
): Promise<void> => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 })
  console.error(JSON.stringify({ message: "listening", address: `127.0.0.1:${listener.addr.port}` }))
  for (;;) {
    try {
      void converse(await listener.accept(), answer)
    } catch {
      // Who has reset before it was accepted is no reason not to accept the next one; who iterates over a listener dies of it.
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }
}

const converse = async (conn: Conn, answer: Parameters<typeof serve>[0]): Promise<void> => {
  const output = new Output()
  let input = new Uint8Array(16_384)
  let start = 0 // of what is read next: in front of it lies what is not answered
  try {
    conn.setNoDelay()
    for (;;) {
      const length = await conn.read(input.subarray(start))
      if (length === null) break
      const stop = start + length
      const answered = answer(input.subarray(0, stop), output, conn)
      const used = typeof answered === "number" ? answered : await answered
      if (used > 0) input.copyWithin(0, used, stop)
      start = stop - used
      for (let sent = 0; sent < output.size;) sent += await conn.write(output.bytes.subarray(sent, output.size))
      if (start === input.length) {
        const larger = new Uint8Array(2 * start)
        larger.set(input)
        input = larger
      }
    }
    await conn.closeWrite()
  } catch {
    // The peer has gone: there is nobody to tell.
  }
  conn.close()
}
