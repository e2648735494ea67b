/**
 * node haproxy.main.ts PORT
 *
 * The server that `haproxy.test.ts` puts behind HAProxy, on one runtime: it answers each line with what it knows of who
 * asks, prints every event to stdout as one line of JSON, and logs to stderr as `anyport serve` does. SIGTERM drains.
 *
 * The answer to `hold` waits for a line on stdin. That one is held is printed as well, and how many probes there were.
 */
import * as Effect from "effect/Effect"
import { Address, type Event, Lines, Server, Service } from "anyport"
import { layer } from "anyport/auto"
import process from "node:process"
import type { ProxyHeader } from "../../core/codecs/ProxyHeader.ts"
import { isProbe } from "../../core/Event.ts"
import * as Logs from "../../ops/logs.ts"
import * as Signals from "../../ops/signals.ts"

const print = (told: unknown): void => void process.stdout.write(`${JSON.stringify(told)}\n`)

const text = (address: Address.Address | undefined): string | undefined => address && Address.format(address)

const shown = ({ version, command, tlvs }: ProxyHeader) => ({
  version,
  command,
  tlvs: { ...tlvs, uniqueId: tlvs.uniqueId && new TextDecoder().decode(tlvs.uniqueId) },
})

const released = new Promise<void>((resolve) => process.stdin.once("data", () => resolve()))

const service = Service.plain(
  Lines.make({ maxLength: 1_024 }),
  async (line, { remoteAddress, localAddress, proxyHeader }) => {
    if (line === "hold") {
      print({ _tag: "Held", client: text(remoteAddress) })
      await released
    }
    const header = proxyHeader && shown(proxyHeader)
    return JSON.stringify({ line, client: text(remoteAddress), server: text(localAddress), header })
  },
)

let probes = 0
const countProbes = (event: Event): void => {
  if (event._tag === "Probed" || (event._tag === "Closed" && isProbe(event))) print({ _tag: "Probes", count: ++probes })
}

const program = Effect.scoped(Effect.gen(function* () {
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const signal = yield* Signals.listen((signal) => process.exit(Signals.exitCode(signal)))
  const server = yield* Server.make({
    listeners: [{ address: `127.0.0.1:${process.argv[2]}`, service }],
    preset: "behind-proxy",
    proxy: { trusted: ["127.0.0.1/32"] },
    observers: [Logs.observer(run), print, countProbes],
  })
  yield* signal
  yield* server.drain
}))

await Effect.runPromise(program.pipe(Effect.provide(layer), Effect.provide(Logs.layer())))
process.exit(0) // stdin is still open
