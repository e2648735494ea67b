/**
 * The flags of `anyport load`, as text where the room `load/` reads them. What they mean together is `Ask.ts`'s.
 */
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import { modes as hostile } from "../../load/hostile/modes.ts"

const ordinary = ["closed", "open", "idle", "churn", "flood"] as const

const text = (name: string, metavar: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar(metavar), Flag.withDescription(description), Flag.optional)

const count = (name: string, most: number, description: string) =>
  Flag.Int(name).pipe(
    Flag.withMetavar("count"),
    Flag.filter((count) => count >= 1 && count <= most, (count) => `Expected 1 to ${most}, got ${count}`),
    Flag.withDescription(description),
    Flag.optional,
  )

const yes = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withoutNegation, Flag.withDescription(description), Flag.withDefault(false))

/** Where a result goes, and what it has to be: of a run as of a merger. */
export const outputs = {
  json: Flag.String("json").pipe(
    Flag.withMetavar("file"),
    Flag.withOptionalValue("-"),
    Flag.withDescription("The result as JSON to stdout, and nothing else there; or into a file (--json=FILE)"),
    Flag.optional,
  ),
  report: text("report", "file", "Write the result as one HTML page with charts"),
  hgrm: text("hgrm", "file", "Write the distribution of response times as HdrHistogram's plotter reads it"),
  threshold: Flag.String("threshold").pipe(
    Flag.withMetavar("p99<50ms"),
    Flag.withDescription(
      "What the result has to be, else the exit code is 99: p99<50ms, service.p99.9<=1s, errors<0.1%, rate>10k; may be given often",
    ),
    Flag.atLeast(0),
  ),
  quiet: yes("quiet", "Say nothing but the result, and what went wrong"),
}

/** All flags of a run. */
export const flags = {
  target: Argument.String("target").pipe(
    Argument.withDescription(
      "tcp://host:port, unix:/path, unix:@name or ws://host:port/path; or a module whose default export is a simulation",
    ),
    Argument.optional,
  ),
  against: Argument.String("against").pipe(
    Argument.withDescription("The server of a simulation (default: the one that its module names)"),
    Argument.optional,
  ),
  mode: Flag.Literals("mode", [...ordinary, ...hostile]).pipe(
    Flag.withDescription(
      "closed: the next request when the reply is there; open: by a schedule; idle: connections that say nothing; churn: " +
        "connect, one request, close; flood: as much as is taken; all others are hostile (default closed, with a rate open)",
    ),
    Flag.optional,
  ),
  connections: count("connections", 1_000_000, "Connections at once (default 50)"),
  inFlight: count("in-flight", 1_000_000, "Requests of one connection at once (default 1)"),
  rate: text("rate", "per-second", "Requests a second of an open run, of all connections together: 1000, 2.5k"),
  duration: text("duration", "duration", "What is measured (default 10s)"),
  warmup: text("warmup", "duration", "What goes before it and is not measured; off for none (default 1s)"),
  stages: text(
    "stages",
    "stages",
    "The rate over time, for --rate and --duration: constant:1000:30s, linear:100-10000:60s, steps:100-1000/10:60s, " +
      "spike:100-5000:30s; several with commas",
  ),
  findMax: text(
    "find-max",
    "p99<10ms",
    "Search for the highest rate at which this holds, and confirm it; with commas for several",
  ),
  hello: text("hello", "text", "Said first on each connection; one answer is waited for"),
  helloExpect: text("hello-expect", "text", "What that answer has to be (default any)"),
  message: text(
    "message",
    "template",
    "What requests say (default {size:64}): {counter}, {connection}, {random:N}, {hex:N}, {int:A-B}, {size:SIZES}; {{ and }} for braces",
  ),
  messageFile: text(
    "message-file",
    "file",
    "Requests are the lines of a file, or the whole file where frames are no lines",
  ),
  heartbeat: text(
    "heartbeat",
    "30s=PING:PONG",
    "Said in between on each connection, and what answers it, which is no reply",
  ),
  expect: text(
    "expect",
    "reply",
    "What replies have to be: echo, echo:PREFIX, prefix:TEXT, regex:/PATTERN/, any or none (default any)",
  ),
  think: text("think", "duration", "Between a reply and the next request, of a closed run"),
  framing: text(
    "framing",
    "framing",
    "lines (default), lines:crlf, delimited:TEXT, length:1|2|3|4|8, varint, netstring, fixed:BYTES, raw, raw:BYTES; of a WebSocket text (default) or binary",
  ),
  maxFrame: text("max-frame", "size", "Content of a frame at most, either way (default 1MiB)"),
  seed: Flag.Int("seed").pipe(
    Flag.withMetavar("number"),
    Flag.withDescription("What chance begins with; the same seed makes the same messages (default 1)"),
    Flag.optional,
  ),
  pace: Flag.Literals("pace", ["poll", "sleep"]).pipe(
    Flag.withDescription(
      "How the moments of an open run are met: poll looks all the time, and has a core for itself; sleep wakes up every " +
        "millisecond (default poll, where the machine has a core for each process and one for the server)",
    ),
    Flag.optional,
  ),
  connectRate: text(
    "connect-rate",
    "per-second",
    "Connections begun in a second, at first (default as fast as it goes)",
  ),
  connectTimeout: text("connect-timeout", "duration", "For one connection to be there (default 5s)"),
  grace: text("grace", "duration", "For the replies that are left when sending ends (default 2s)"),
  sourceAddress: text(
    "source-address",
    "addresses",
    "Connect from these by turns, for more ports than one address has: 127.0.0.2-127.0.0.9",
  ),
  processes: count("processes", 256, "So many processes share connections and rate (default 1)"),
  iOwnThisTarget: yes("i-own-this-target", "Let a hostile mode loose on what is not a loopback address"),
  selfTest: yes("self-test", "What this generator can do at most on this machine, against a trivial server of its own"),
  ...outputs,
  // How a run starts its processes. Nobody types it.
  part: Flag.String("part").pipe(Flag.withHidden, Flag.optional),
}

type Given<Params> = {
  readonly [Name in keyof Params]: Params[Name] extends Flag.Flag<infer A> | Argument.Argument<infer A> ? A : never
}

/** What was given of where a result goes. */
export type Outputs = Given<typeof outputs>

/** What was given. */
export type Input = Given<typeof flags>
