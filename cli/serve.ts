/**
 * `anyport serve [SERVICE]`: its flags, which the file that `anyport build` makes has as well. What it does is loaded when
 * it runs.
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { availableParallelism } from "node:os"
import process from "node:process"
import { type Address, parse, tcp, unix } from "../core/Address.ts"
import type { Preset, Tunables } from "../core/Options.ts"
import type { Service } from "../core/Service.ts"
import type { SettingsError } from "../core/Settings.ts"
import type { Part } from "../ops/workers/Part.ts"
import { choose, shares } from "../ops/workers/Share.ts"
import * as Duration from "./duration.ts"
import { UsageError } from "./UsageError.ts"
import { version } from "./version.ts"

const presets: ReadonlyArray<Preset> = ["local", "internal", "behind-proxy", "internet", "edge"]

const duration = (name: string, description: string) =>
  Flag.String(name).pipe(
    Flag.withMetavar("duration"),
    Flag.filter(
      (text) => Duration.parse(text) !== undefined,
      (text) => `Expected a duration such as 250ms, 30s, 5m or off, got ${text}`,
    ),
    Flag.map((text) => Duration.parse(text)!), // as above
    Flag.withDescription(description),
    Flag.optional,
  )

/** The flags that say where to listen, how much to let in, how to end, and by how many processes. */
export const listening = {
  host: Flag.String("host").pipe(
    Flag.withDescription(
      "Address to listen on: 127.0.0.1 (default), ::1, localhost (both), :: (all, IPv4 and IPv6), …",
    ),
    Flag.optional,
  ),
  port: Flag.Int("port").pipe(
    Flag.filter((port) => port >= 0 && port <= 65_535, (port) => `Expected a port from 0 to 65535, got ${port}`),
    Flag.withDescription("TCP port, 0 for any free one (default 9000)"),
    Flag.optional,
  ),
  unix: Flag.String("unix").pipe(
    Flag.withMetavar("path"),
    Flag.withDescription("Listen on a Unix socket instead; @name for Linux's abstract namespace"),
    Flag.optional,
  ),
  listenFd: Flag.String("listen-fd").pipe(
    Flag.withMetavar("name"),
    Flag.withDescription(
      "Listen on this socket of those that systemd passed: its name or number (default: the only one, where no address is given)",
    ),
    Flag.optional,
  ),
  maxConnections: Flag.Int("max-connections").pipe(
    Flag.filter((count) => count >= 1, (count) => `Expected at least 1, got ${count}`),
    Flag.withDescription("Connections at once; more are refused (default 10000, less where descriptors are fewer)"),
    Flag.optional,
  ),
  preset: Flag.Literals("preset", presets).pipe(
    Flag.withDescription(
      "Limits and deadlines that fit together (default: local on a loopback or a Unix socket, else internet)",
    ),
    Flag.optional,
  ),
  proxyFrom: Flag.String("proxy-from").pipe(
    Flag.withMetavar("networks"),
    Flag.withDescription(
      "Clients come by proxies of these networks (10.0.0.0/8,…, or unix), which send a PROXY header; nobody else may enter",
    ),
    Flag.optional,
  ),
  idleTimeout: duration(
    "idle-timeout",
    "A connection on which nothing goes either way for so long is ended; off for never (default: as the preset says)",
  ),
  drainDelay: duration(
    "drain-delay",
    "After SIGTERM, not ready and still accepting for so long; off for none (default none locally, else 5s)",
  ),
  drainTimeout: duration(
    "drain-timeout",
    "Then connections get so long to finish what they have begun; off for ever (default 25s)",
  ),
  admin: Flag.String("admin").pipe(
    Flag.withMetavar("address"),
    Flag.filter(
      (text) => parse(text) !== undefined,
      (text) => `Expected an address such as 127.0.0.1:9001, [::]:9001 or unix:/run/admin.sock, got ${text}`,
    ),
    Flag.withDescription("Serve /livez, /readyz and /metrics by HTTP there (default: nowhere)"),
    Flag.optional,
  ),
  workers: Flag.String("workers").pipe(
    Flag.withMetavar("count"),
    Flag.filter(
      (text) => text === "auto" || /^[1-9]\d{0,2}$/.test(text),
      (text) => `Expected a number of processes from 1 to 999, or auto for one a CPU, got ${text}`,
    ),
    Flag.withDescription(
      "So many processes share the port, or auto for one a CPU; SIGUSR2 replaces them by new ones without a gap",
    ),
    Flag.optional,
  ),
  share: Flag.Literals("share", shares).pipe(
    Flag.withDescription(
      "How workers share the address: reuseport, or Node's cluster, where the supervisor accepts for all; Unix sockets, " +
        "and no reset when workers are replaced (default auto: reuseport where there is one)",
    ),
    Flag.optional,
  ),
  // How a supervisor starts its workers. Nobody types it.
  worker: Flag.String("worker").pipe(Flag.withHidden, Flag.optional),
}

const service = Argument.String("service").pipe(
  Argument.withDescription("A built-in service (echo), or a module whose default export is a service"),
  Argument.withDefault("echo"),
)

/** `anyport serve`. The exit code is left in `exit`. */
export const serve = (exit: (code: number) => void) =>
  Command.make("serve", { service, ...listening }, (input) => {
    const found = Effect.flatMap(Effect.promise(() => import("./service.ts")), ({ load }) => load(input.service))
    return serveWith(found, input, exit)
  }).pipe(
    Command.withDescription("Serve a service until SIGINT or SIGTERM"),
    Command.withExamples([
      { command: "anyport serve", description: "The echo service on 127.0.0.1:9000" },
      {
        command: "anyport serve ./my-service.ts --host :: --port 7000",
        description: "A service of your own, on every address",
      },
    ]),
  )

/** Serves a service until a signal. What is wrong with the flags is said before the service is looked for. */
export const serveWith = Effect.fnUntraced(function* <E>(
  service: Effect.Effect<Service<never, unknown>, E>,
  input: Listening,
  exit: (code: number) => void,
) {
  const where = yield* whereOf(input)
  if (Option.contains(input.preset, "behind-proxy") && Option.isNone(input.proxyFrom)) {
    return yield* fail("--preset behind-proxy wants --proxy-from with the networks of the proxies")
  }
  const settings = settingsOf(input)
  const admin = Option.getOrUndefined(Option.map(input.admin, (text) => ({ address: parse(text)!, version }))) // a flag's
  const worker = yield* workerOf(input)
  if (Option.isSome(input.share) && Option.isNone(input.workers)) {
    return yield* fail("--share says how workers share the address; give --workers too")
  }
  const [{ layer }, Logs] = yield* Effect.promise(() =>
    Promise.all([import("../adapters/auto.ts"), import("../ops/logs.ts")])
  )
  const program = Option.isSome(input.workers) && worker === undefined
    ? supervise(
      where,
      settings,
      input.workers.value,
      Option.getOrElse(input.share, () => "auto" as const),
      admin?.address,
    )
    : Effect.gen(function* () {
      const { serve } = yield* Effect.promise(() => import("../ops/serve.ts"))
      return yield* serve({
        service,
        ...where,
        settings,
        ...admin === undefined ? {} : { admin },
        ...worker === undefined ? {} : { worker },
      })
    })
  exit(yield* program.pipe(Effect.provide(layer), Effect.provide(Logs.layer())))
})

/** Serves by workers; the service they load themselves. */
const supervise = Effect.fnUntraced(function* (
  { address, descriptor }: Place,
  settings: Tunables,
  workers: string,
  asked: (typeof shares)[number],
  admin?: Address,
) {
  if (descriptor !== undefined) {
    return yield* fail("--workers opens the port itself; leave it out, or serve without systemd's socket")
  }
  const [{ serve }, { command }, { Sockets }] = yield* Effect.promise(() =>
    Promise.all([import("../ops/workers/serve.ts"), import("../ops/workers/Command.ts"), import("../core/Sockets.ts")])
  )
  const { capabilities: { runtime, reusePort } } = yield* Sockets
  const { platform } = process
  // Deno has it by a flag that workers are given.
  const place = { runtime, platform, reusePort: reusePort || "Deno" in globalThis && platform === "linux" }
  const share = choose(asked, address, place)
  if (typeof share === "object") return yield* fail(share.problem)
  const start = command()
  if ("problem" in start) return yield* fail(start.problem)
  const count = workers === "auto" ? availableParallelism() : Number(workers)
  return yield* serve({ address, settings, count, share, command: start, ...admin === undefined ? {} : { admin } })
})

/** What the flags say, and nothing of what they leave to the preset. */
const settingsOf = (input: Listening): Tunables => {
  const { maxConnections, idleTimeout, drainDelay, drainTimeout, preset, proxyFrom } = input
  // No delay is none at all; of all others "off" is never.
  const delay = Option.map(drainDelay, (millis) => millis === Infinity ? 0 : millis)
  const drain = {
    ...(Option.isNone(delay) ? {} : { delay: delay.value }),
    ...(Option.isNone(drainTimeout) ? {} : { timeout: drainTimeout.value }),
  }
  return {
    drain,
    ...(Option.isNone(preset) ? {} : { preset: preset.value }),
    ...(Option.isNone(maxConnections) ? {} : { limits: { maxConnections: maxConnections.value } }),
    ...(Option.isNone(idleTimeout) ? {} : { deadlines: { idle: idleTimeout.value } }),
    ...(Option.isNone(proxyFrom) ? {} : { proxy: { trusted: proxyFrom.value.split(",").map((text) => text.trim()) } }),
  }
}

/** Which worker this process is, if it is one. */
const workerOf = Effect.fnUntraced(function* ({ worker }: Listening): Effect.fn.Return<Part | undefined, UsageError> {
  if (Option.isNone(worker)) return undefined
  const { parse } = yield* Effect.promise(() => import("../ops/workers/Part.ts"))
  const part = parse(worker.value)
  return part !== undefined && process.send !== undefined
    ? part
    : yield* fail("--worker is for the processes that --workers starts; give --workers instead")
})

const fail = (message: string): Effect.Effect<never, UsageError> => Effect.fail(new UsageError({ message }))

interface Listening extends Where {
  readonly preset: Option.Option<Preset>
  readonly proxyFrom: Option.Option<string>
  readonly maxConnections: Option.Option<number>
  /** Milliseconds; Infinity for off. */
  readonly idleTimeout: Option.Option<number>
  readonly drainDelay: Option.Option<number>
  readonly drainTimeout: Option.Option<number>
  readonly admin: Option.Option<string>
  readonly workers: Option.Option<string>
  readonly share: Option.Option<(typeof shares)[number]>
  readonly worker: Option.Option<string>
}

interface Where {
  readonly host: Option.Option<string>
  readonly port: Option.Option<number>
  readonly unix: Option.Option<string>
  readonly listenFd: Option.Option<string>
}

interface Place {
  readonly address: Address
  readonly descriptor?: number
}

/** The address, and the descriptor where it is one that was passed: also when nothing at all was said. */
const whereOf = Effect.fnUntraced(function* (
  { host, port, unix: path, listenFd }: Where,
): Effect.fn.Return<Place, UsageError | SettingsError> {
  const tcpFlags = Option.isSome(host) || Option.isSome(port)
  if (Option.isSome(listenFd) && (tcpFlags || Option.isSome(path))) {
    return yield* fail(`--listen-fd ${listenFd.value} excludes --host, --port and --unix; give one or the other`)
  }
  if (Option.isSome(path)) {
    if (!tcpFlags) return { address: unix(path.value.replace(/^@/, "\0")) }
    return yield* fail(`--unix ${path.value} excludes --host and --port; give one or the other`)
  }
  if (!tcpFlags) {
    const { take } = yield* Effect.promise(() => import("../ops/systemd/inherited.ts"))
    const inherited = yield* take(Option.getOrUndefined(listenFd))
    if (inherited !== undefined) return inherited
  }
  return { address: tcp(Option.getOrElse(host, () => "127.0.0.1"), Option.getOrElse(port, () => 9_000)) }
})
