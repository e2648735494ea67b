/**
 * Who can take part on this machine, and how each is started. What cannot is named with a reason that a person
 * understands. Nothing here measures; what is asked of them is the plan's affair.
 */
import { existsSync, statSync } from "node:fs"
import { relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { floors, isBelow } from "../adapters/Floor.ts"
import * as Compiler from "./Compiler.ts"
import { type Child, freePort, runtimeCommand, runtimes, start, versionOf } from "./Program.ts"
import type { Contender, RuntimeName } from "./Result.ts"

/** Somebody who takes part: an echo server on loopback. */
export interface Program extends Contender {
  /** As it is started; `{port}` stands for a free port in a command that announces none. */
  readonly argv: ReadonlyArray<string>
  /** What it takes requests to be; undefined for a service that is not ours. */
  readonly framing: "lines" | "length" | undefined
  /** What it puts in front of a line; empty where frames have a length. */
  readonly prefix: string
  /** How its runtime runs a script. */
  readonly runner?: ReadonlyArray<string>
  /** The module that it serves, or its own where it is a program. */
  readonly module?: string
}

/** What there is not, and why. */
export interface Missing {
  readonly name: string
  readonly reason: string
}

/** What there is and what there is not. */
export interface Contenders {
  readonly present: ReadonlyArray<Program>
  readonly missing: ReadonlyArray<Missing>
}

/** Who is asked for. */
export interface ContendersOptions {
  /** The file of Anyport's command line, which serves. */
  readonly main: string
  /** Runtimes that take part. Default: all three. */
  readonly runtimes?: ReadonlyArray<RuntimeName>
  /** Contenders of one's own: `name=command with {port}`, which echo lines as all others do. */
  readonly custom?: ReadonlyArray<string>
  /** Other versions of a runtime: `bun@1.3=PATH`. */
  readonly versions?: ReadonlyArray<string>
  /** A module whose default export is a service, served on each runtime. */
  readonly service?: string
  /** Only these are looked for and compiled, by their ids. Default: all. */
  readonly only?: (id: string) => boolean
}

/** What was asked for and cannot be; its message is one line that names the value and what is accepted. */
export class NotAContender extends Error {
  override readonly name = "NotAContender"
}

/** How one is started for a trial. */
export interface LaunchOptions {
  /** The only CPU that it may use. Default: all. */
  readonly cpu?: number | undefined
  /** For the runtime, such as `--trace-gc` or `--expose-gc`: put where each runtime takes its own. */
  readonly flags?: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
  /** Keep all that it writes, for `Child.output`. Default false. */
  readonly keep?: boolean
}

/** Looks for all who can take part. Rejects with a {@link NotAContender}. */
export const contenders = async (options: ContendersOptions): Promise<Contenders> => {
  const { custom = [], versions = [], service, only = () => true } = options
  const asked = options.runtimes ?? runtimes
  const own = custom.map(parseCustom)
  const engines = [
    ...asked.map((runtime): Engine => ({ runtime, binary: runtime, id: runtime, all: true })),
    ...versions.map(parseVersion),
  ]
  if (service !== undefined && !isFile(service)) {
    throw new NotAContender(`Cannot serve ${service}: there is no such file; wanted is a module that exports a service`)
  }
  const present: Array<Program> = []
  const missing: Array<Missing> = []
  for (const engine of engines) {
    const programs = onEngine(engine, options).filter(({ id }) => only(id))
    const reason = programs.length === 0 ? undefined : await unusable(engine)
    if (reason !== undefined) {
      missing.push({ name: names[engine.runtime], reason })
      continue
    }
    present.push(...programs.filter(({ source }) => existsSync(source)).map(({ source: _, ...program }) => program))
    const absent = programs.filter(({ source }) => !existsSync(source))
    if (absent.length > 0) missing.push({ name: absent.map(({ id }) => id).join(", "), reason: notHere })
  }
  for (const program of compiled.filter(({ id }) => only(id))) {
    const found = await build(program)
    if ("reason" in found) missing.push(found)
    else present.push(found)
  }
  present.push(...own.filter(({ id }) => only(id)))
  const twice = present.find(({ id }, index) => present.findIndex((other) => other.id === id) < index)
  if (twice !== undefined) throw new NotAContender(`There are two contenders ${twice.id}; give one another name`)
  return { present, missing }
}

/** Starts one in a process of its own. Rejects with what it wrote when it does not listen. */
export const launch = async (program: Program, options: LaunchOptions = {}): Promise<Child> => {
  const { flags = [], ...rest } = options
  const { argv, runtime } = program
  const at = runtime === undefined ? undefined : runtime === "deno" ? argv.indexOf("run") + 1 : 1
  const flagged = at === undefined ? argv : argv.toSpliced(at, 0, ...flags)
  const port = argv.some((word) => word.includes("{port}")) ? await freePort() : undefined
  return start(flagged.map((word) => word.replaceAll("{port}", String(port))), { ...rest, port })
}

// ── On a runtime ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** A runtime, or another version of one, for which fewer take part. */
interface Engine {
  readonly runtime: RuntimeName
  readonly binary: string
  /** `bun`, `bun@1.3`. */
  readonly id: string
  readonly all: boolean
}

const names: Record<RuntimeName, string> = { node: "Node", bun: "Bun", deno: "Deno" }

interface Kind {
  readonly id: string
  readonly title: string
  /** Default `lines`. */
  readonly framing?: "lines" | "length"
  /** What it reads of the environment, which Deno wants to be told. */
  readonly variables?: ReadonlyArray<string>
}

/** Services of `contenders/`, which `serve.ts` there serves. */
const served: ReadonlyArray<Kind & { readonly service: string }> = [
  { id: "anyport", title: "Anyport", service: "respond" },
  { id: "anyport-plain", title: "Anyport (plain)", service: "plain" },
  { id: "anyport-session", title: "Anyport (session)", service: "session" },
  { id: "anyport-suspend", title: "Anyport (suspending)", service: "suspend" },
  { id: "anyport-length", title: "Anyport (length-prefixed)", service: "length", framing: "length" },
  { id: "anyport-unpooled", title: "Anyport (no reuse of memory)", service: "unpooled" },
]

/** What Effect's sockets, which include those of the package ws, read of the environment. */
const variables = ["WS_NO_BUFFER_UTIL", "WS_NO_UTF_8_VALIDATE"]

/** What a runtime runs as it is: a file of `contenders/`, `*` standing for the runtime. */
const run: ReadonlyArray<
  Kind & { readonly family: Contender["family"]; readonly file: string; readonly except?: RuntimeName }
> = [
  { id: "anyport-policies", title: "Anyport (all policies)", family: "anyport", file: "policies" },
  { id: "hand", title: "Hand-written", family: "hand", file: "hand-*" },
  {
    id: "hand-length",
    title: "Hand-written (length-prefixed)",
    family: "hand",
    file: "hand-length-*",
    framing: "length",
  },
  { id: "naive", title: "Hand-written, a write a line", family: "naive", file: "naive-*" },
  { id: "net", title: "node:net", family: "node:net", file: "hand-node", except: "node" },
  { id: "effect", title: "Effect's SocketServer", family: "effect", file: "effect", variables },
  {
    id: "effect-suspend",
    title: "Effect's SocketServer (suspending)",
    family: "effect",
    file: "effect-suspend",
    variables,
  },
]

/** A contender with the file without which it cannot be. */
type Sourced = Program & { readonly source: string }

const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js"
const here = (name: string): string => fileURLToPath(new URL(`./contenders/${name}`, import.meta.url))
const notHere = "its program is not in the one-file build; install the package"

const onEngine = (engine: Engine, { main, service }: ContendersOptions): ReadonlyArray<Sourced> => {
  const { runtime, id: on, all } = engine
  const make = (
    { id, title, framing = "lines", variables = [] }: Kind,
    family: Contender["family"],
    module: string,
    ...args: ReadonlyArray<string>
  ): Sourced => {
    const flags = runtime === "deno" && variables.length > 0 ? [`--allow-env=${variables.join(",")}`] : []
    const runner = runtimeCommand(runtime, { binary: engine.binary, flags })
    const argv = [...runner, ...args]
    return {
      id: `${id}-${on}`,
      title: `${title} on ${all ? names[runtime] : on}`,
      family,
      runtime,
      argv,
      command: shown(argv),
      framing,
      prefix: framing === "lines" ? "echo: " : "",
      runner,
      module,
      source: module,
    }
  }
  const found = [
    ...served.map((one) => {
      const file = here(one.service + extension)
      return make(one, "anyport", file, here(`serve${extension}`), file)
    }),
    ...run.filter(({ except }) => except !== runtime).map((one) => {
      const file = here(one.file.replace("*", runtime) + extension)
      return make(one, one.family, file, file)
    }),
  ]
  if (!all) return found.filter(({ id }) => [`anyport-${on}`, `hand-${on}`].includes(id))
  if (service === undefined) return found
  const file = resolve(service)
  const serving = [main, "serve", file, "--host", "127.0.0.1", "--port", "0"]
  const { framing: _, ...own } = make({ id: "service", title: service }, "custom", file, ...serving)
  return [...found, { ...own, framing: undefined, prefix: "" }]
}

/** Why an engine cannot take part, if it cannot. */
const unusable = async ({ runtime, binary, all }: Engine): Promise<string | undefined> => {
  const found = await versionOf(binary)
  if (found === undefined) return all ? `there is no ${binary} on PATH` : `${binary} cannot be run`
  const { version, reason } = floors[runtime]
  // An older one that is asked for by its path is tried, and says itself what it lacks.
  return all && isBelow(found, version) ? `${names[runtime]} ${found} is older than ${version}: ${reason}` : undefined
}

// A result is read elsewhere: paths are shown from the package's folder, or from where this was started.
const shown = (argv: ReadonlyArray<string>): string =>
  argv.map((word) => {
    for (const folder of [fileURLToPath(new URL("..", import.meta.url)), resolve(".") + "/"]) {
      if (word.startsWith(folder)) return relative(folder, word)
    }
    return word
  }).join(" ")

// ── Compiled ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const compiled = [
  { id: "go-seed", title: "Go, as courses begin", family: "go", source: "go/seed/main.go" },
  { id: "go", title: "Go, without its log line", family: "go", source: "go/plain/main.go" },
  { id: "go-buffered", title: "Go, buffered writes", family: "go", source: "go/buffered/main.go" },
  { id: "c", title: "C (epoll)", family: "c", source: "echo.c" },
] as const

const build = async ({ id, title, family, source }: typeof compiled[number]): Promise<Program | Missing> => {
  const file = here(source)
  if (!existsSync(file)) return { name: title, reason: notHere }
  const program = await Compiler[family](file, id)
  if ("reason" in program) return { name: title, reason: program.reason }
  const command = family === "go" ? `go build ${shown([file])}` : `cc -O2 ${shown([file])}`
  return { id, title, family, command, argv: [program.file], framing: "lines", prefix: "echo: " }
}

// ── One's own ────────────────────────────────────────────────────────────────────────────────────────────────────────

const parseCustom = (text: string): Program => {
  const [, id, command] = /^([\w.@-]+)=(.+)$/s.exec(text) ?? []
  if (id === undefined || command === undefined) {
    throw new NotAContender(`--contender wants 'name=command with {port}', got '${text}'`)
  }
  if (!command.includes("{port}")) {
    throw new NotAContender(`--contender ${id}: its command has no {port}, where it is told on which one to listen`)
  }
  // Words, of which one in quotes may hold blanks.
  const argv = [...command.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, double, single, bare]) =>
    double ?? single ?? bare! // one of them matched
  )
  return { id, title: id, family: "custom", command, argv, framing: "lines", prefix: "echo: " }
}

const parseVersion = (text: string): Engine => {
  const [, name, version, binary] = /^(node|bun|deno)@([\w.+-]+)=(.+)$/.exec(text) ?? []
  const runtime = runtimes.find((runtime) => runtime === name)
  if (runtime === undefined || binary === undefined) {
    throw new NotAContender(`--runtime wants node, bun, deno or a version such as bun@1.3=PATH, got '${text}'`)
  }
  if (!isFile(binary)) throw new NotAContender(`--runtime ${text}: there is no file ${binary}`)
  return { runtime, binary: resolve(binary), id: `${runtime}@${version}`, all: false }
}

const isFile = (path: string): boolean => existsSync(path) && statSync(path).isFile()
