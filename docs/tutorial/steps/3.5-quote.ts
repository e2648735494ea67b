import { ByteBuffer, ByteWriter, Codec, LengthPrefixed } from "anyport"
import * as Result from "effect/Result"

interface Quote {
  readonly symbol: string
  readonly cents: number
  readonly volume: number
}

const frames = LengthPrefixed.make({ width: 2, maxLength: 1_024 })
const utf8 = { encoder: new TextEncoder(), decoder: new TextDecoder() }

const json: Codec.Codec<Quote, Quote> = Codec.mapOrFail(frames, {
  decode: (bytes) => Result.succeed(JSON.parse(utf8.decoder.decode(bytes)) as Quote), // trusts its peer; a Schema does not
  encode: (quote) => Result.succeed(utf8.encoder.encode(JSON.stringify(quote))),
})

/** Four bytes of price, four of volume, and the symbol. */
const binary: Codec.Codec<Quote, Quote> = Codec.mapOrFail(frames, {
  decode: (bytes) => {
    if (bytes.length < 9) {
      return Result.fail(Codec.invalidFrame(`Quote has ${bytes.length} bytes, wanted are 9 or more`))
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    const symbol = utf8.decoder.decode(bytes.subarray(8))
    return Result.succeed({ symbol, cents: view.getUint32(0), volume: view.getUint32(4) })
  },
  encode: ({ symbol, cents, volume }) => {
    const text = utf8.encoder.encode(symbol)
    const bytes = new Uint8Array(8 + text.length)
    const view = new DataView(bytes.buffer)
    view.setUint32(0, cents)
    view.setUint32(4, volume)
    bytes.set(text, 8)
    return Result.succeed(bytes)
  },
})

const quote: Quote = { symbol: "ACME", cents: 12_345, volume: 600 }
for (const [name, codec] of [["json", json], ["binary", binary]] as const) {
  const output = new ByteWriter()
  codec.encoder().encode([quote], output)
  const bytes = output.bytes.slice(0, output.length)

  const input = new ByteBuffer()
  input.append(bytes)
  const received: Array<Quote> = []
  codec.decoder().decode(input, received, 1)
  console.log(`${name}: ${bytes.length} bytes, back again ${JSON.stringify(received[0])}`)
}

const input = new ByteBuffer()
input.append(Uint8Array.of(0, 2, 1, 2))
console.log(binary.decoder().decode(input, [], 1)?.message)
