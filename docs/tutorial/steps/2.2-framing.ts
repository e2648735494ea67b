import { ByteBuffer, type Codec, LengthPrefixed, Lines } from "anyport"

/** Gives chunks to a decoder as the server does, and prints which frames each of them completes. */
const receive = <In>(codec: Codec.Codec<In, never>, chunks: ReadonlyArray<Uint8Array>): void => {
  const decoder = codec.decoder() // one for each connection: it remembers
  const input = new ByteBuffer()
  for (const chunk of chunks) {
    input.append(chunk)
    const frames: Array<In> = []
    const error = decoder.decode(input, frames, 128)
    input.own()
    const shown = frames.map((frame) => frame instanceof Uint8Array ? frame.join(" ") : JSON.stringify(frame))
    console.log(`  chunk of ${chunk.length}:`, [...shown, error?.message ?? "…"].join(", "))
  }
}

const bytes = new TextEncoder().encode("hello\n世界\nbye\n")

console.log("lines")
receive(Lines.make({ maxLength: 64 }), [bytes.subarray(0, 3), bytes.subarray(3, 8), bytes.subarray(8)])

console.log("length, then content")
receive(LengthPrefixed.make({ width: 2, maxLength: 64 }), [
  Uint8Array.of(0),
  Uint8Array.of(3, 7, 8),
  Uint8Array.of(9, 0, 1, 5),
  Uint8Array.of(255, 255),
])
