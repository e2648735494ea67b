/**
 * The line echo on a server with every policy that there is switched on, each so wide that it never holds: what they cost
 * is the difference to `services/echo.ts`. A program, because `serve` has flags for few of them. (A proxy's header is none: it
 * is a protocol, and clients would have to speak it.)
 */
import * as Effect from "effect/Effect"
import * as Lines from "../../core/codecs/Lines.ts"
import * as Service from "../../core/Service.ts"
import { start } from "../../ops/start.ts"

const service: Service.Service = Service.respond(
  Lines.make({ maxLength: 65_536 }),
  (line) => Effect.succeed(`echo: ${line}`),
  {
    timeout: "1 hour",
    heartbeat: { ping: () => "ping", isPong: (line) => line === "pong" },
    goodbye: () => "bye",
    weight: (line) => line.length,
  },
)

const plenty = 1e9
const rate = { perSecond: plenty, burst: plenty }
const never = "1 hour"

const { address } = await start(service, {
  address: "127.0.0.1:0",
  limits: {
    maxConnections: 20_000,
    maxConnectionsPerAddress: 20_000,
    acceptRate: rate,
    acceptRatePerAddress: rate,
    allow: ["127.0.0.0/8"],
    deny: ["10.0.0.0/8"],
    atLimit: { queue: 100, timeout: never },
    busy: "try again later\n",
    maxFrame: 1_048_576,
    memory: 2 ** 32,
    maxInFlight: plenty,
    frameRate: rate,
    byteRate: rate,
    frameRatePerAddress: rate,
    byteRatePerAddress: rate,
    minRate: 1,
  },
  deadlines: {
    firstFrame: never,
    frame: never,
    idle: never,
    readIdle: never,
    writeIdle: never,
    maxAge: never,
  },
  heartbeat: { interval: never, missed: 3, loseAt: 16 },
  overload: { lag: "1 minute" },
  admit: () => Effect.succeed("admit"),
})
console.error(JSON.stringify({ message: "listening", address }))
