/** A client that sends a byte at a time. */
import { setTimeout as sleep } from "node:timers/promises"
import type { Client } from "../conformance/wire/client.ts"

/** Sends a byte each `millis` until the server ends the connection; then it leaves. */
export const drip = async (client: Client, byte: string, millis: number): Promise<void> => {
  while (client.ending === undefined) {
    await client.send(byte)
    await Promise.race([sleep(millis), client.ended()])
  }
  client.socket.destroy()
}

/** Sends a text in segments of one byte, and ends nothing. */
export const slice = async (client: Client, text: string): Promise<void> => {
  for (const byte of Buffer.from(text)) {
    await client.send(Uint8Array.of(byte))
    await new Promise(setImmediate) // the kernel has the byte; nothing of this process holds it back
  }
}
