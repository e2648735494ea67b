/**
 * The line echo as a service that uses no memory twice: what it reads is copied before it is decoded, and what it writes
 * is encoded into memory made for that write. What reuse is worth is the difference to `services/echo.ts`.
 */
import * as Effect from "effect/Effect"
import type { Codec } from "../../core/Codec.ts"
import * as Lines from "../../core/codecs/Lines.ts"
import * as Service from "../../core/Service.ts"

const { decoder: makeDecoder } = Lines.make({ maxLength: 65_536 })
const encoder = new TextEncoder()

const codec: Codec<string, string> = {
  decoder() {
    const decoder = makeDecoder()
    return {
      decode(input, out, limit) {
        input.own()
        return decoder.decode(input, out, limit)
      },
      end: (input, out) => decoder.end(input, out),
    }
  },
  encoder: () => ({
    encode(lines, output) {
      if (lines.length > 0) output.raw(encoder.encode(`${lines.join("\n")}\n`))
      return undefined
    },
  }),
}

const service: Service.Service = Service.respond(codec, (line) => Effect.succeed(`echo: ${line}`))

export default service
