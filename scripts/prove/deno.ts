/**
 * The shortest line server on `Deno.listen`, after https://docs.deno.com/examples/tcp_echo_server (the loop over
 * connections, `conn.readable`), https://docs.deno.com/examples/tcp-listener (`decoder.decode`) and
 * https://docs.deno.com/examples/tcp-connector (`conn.write(encoder.encode(…))`). Kinder than those examples: it keeps
 * the line that has not ended, and an error of one connection does not end the process.
 */
import { file } from "./file.ts"

const encoder = new TextEncoder()
const decoder = new TextDecoder()

async function serve(conn: Deno.Conn) {
  let rest = ""
  for await (const chunk of conn.readable) {
    const lines = (rest + decoder.decode(chunk)).split("\n")
    rest = lines.pop()!
    for (const line of lines) {
      if (line !== "file") await conn.write(encoder.encode(`echo: ${line}\n`))
      else {
        await conn.write(encoder.encode(`${file}\n`))
        return conn.close()
      }
    }
  }
}

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 })
console.error(JSON.stringify({ message: "listening", address: `127.0.0.1:${listener.addr.port}` }))
for await (const conn of listener) serve(conn).catch((error) => console.error(error.message))

// For this repository's type checker, which does not know Deno.
declare namespace Deno {
  interface Conn {
    readonly readable: AsyncIterable<Uint8Array>
    write(bytes: Uint8Array): Promise<number>
    close(): void
  }
  interface Listener extends AsyncIterable<Conn> {
    readonly addr: { readonly port: number }
  }
  function listen(options: { hostname: string; port: number }): Listener
}
