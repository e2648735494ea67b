/**
 * The tightest line server that a person writes by hand on `Deno.listen`, doing the work that a service does: every line
 * is a string of its own, a function answers it, and all replies of a chunk leave in one write. The baseline of
 * `scripts/cpu.ts`. It has no limit and no deadline; lines and characters split between chunks, partial writes and
 * half-closes are right.
 */
interface Conn {
  read(into: Uint8Array): Promise<number | null>
  write(bytes: Uint8Array): Promise<number>
  closeWrite(): Promise<void>
  close(): void
  setNoDelay(): void
}

declare const Deno: {
  listen(
    options: { hostname: string; port: number },
  ): AsyncIterable<Conn> & { readonly addr: { readonly port: number } }
}

const reply = (line: string): string => `echo: ${line}\n`
const newline = 10
const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

const serve = async (conn: Conn): Promise<void> => {
  let input = new Uint8Array(16_384)
  let out = new Uint8Array(65_536)
  let start = 0 // of what is read next: in front of it lies a line that has not ended
  try {
    conn.setNoDelay()
    for (;;) {
      const length = await conn.read(input.subarray(start))
      if (length === null) break
      const stop = start + length
      const end = input.lastIndexOf(newline, stop - 1)
      start = stop
      if (end >= 0) {
        let replies = ""
        for (const line of decoder.decode(input.subarray(0, end)).split("\n")) replies += reply(line)
        input.copyWithin(0, end + 1, stop)
        start = stop - end - 1
        if (out.length < replies.length * 3) out = new Uint8Array(replies.length * 3)
        const size = encoder.encodeInto(replies, out).written
        for (let sent = 0; sent < size;) sent += await conn.write(out.subarray(sent, size))
      }
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

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 })
console.error(JSON.stringify({ message: "listening", address: `127.0.0.1:${listener.addr.port}` }))
for await (const conn of listener) void serve(conn)
