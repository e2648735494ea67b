/**
 * The tutorial is what runs: each block of code is a file, each transcript is replayed on every runtime with the commands
 * that its index gives, each number is in the code or was printed, and both languages show the same.
 *
 * A page is read as people read it: a section begins with `## 1.1`, its `ts` blocks are files of `steps/`, its `console`
 * blocks what is typed (behind `$`) and printed, in one terminal or several.
 */
import { Buffer } from "node:buffer"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import * as Server from "../../core/Server.ts"
import { Child, killAll, root, type Runtime, runtimes } from "./wire/child.ts"
import { connect, disconnectAll } from "./wire/client.ts"

const folder = join(root, "docs/tutorial")
const languages = ["", "zh"]

// ── What the pages say ─────────────────────────────────────────────────────────────────────────────────────────────

interface Fence {
  readonly language: string
  /** What `title="…"` says. */
  readonly title: string | undefined
  readonly text: string
}

interface Section {
  /** `1.1`; undefined for what is no step. */
  readonly number: string | undefined
  /** Without the fences. */
  readonly prose: string
  readonly fences: ReadonlyArray<Fence>
}

/** What is typed, and what is printed then. */
interface Typed {
  readonly command: string
  readonly output: string
}

const fencePattern = /^```(\w*)(?: title="([^"]+)")?\n([\s\S]*?)^```$/gm

const sectionsOf = (page: string): ReadonlyArray<Section> =>
  page.split(/^(?=## )/m).map((text) => ({
    number: /^## (\d\.\d) /.exec(text)?.[1],
    prose: text.replace(fencePattern, ""),
    fences: [...text.matchAll(fencePattern)].map(([, language, title, text]) => ({
      language: language!,
      title,
      text: text!,
    })),
  }))

const transcriptOf = ({ fences }: Section): ReadonlyArray<Typed> =>
  fences.filter(({ language }) => language === "console").flatMap(({ text }) =>
    text.split(/^\$ /m).slice(1).map((typed) => {
      const end = typed.indexOf("\n")
      return { command: typed.slice(0, end), output: typed.slice(end + 1) }
    })
  )

const pagesOf = (language: string): ReadonlyMap<string, string> =>
  new Map(
    readdirSync(join(folder, language)).filter((name) => name.endsWith(".md")).sort()
      .map((name) => [name, readFileSync(join(folder, language, name), "utf8")]),
  )

const chapters = [...pagesOf("").values()].flatMap(sectionsOf)
const sections = chapters.filter(({ number }) => number !== undefined)
const steps = readdirSync(join(folder, "steps")).sort()

// ── Commands ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** How each runtime runs a service and a program, as the table of the index says. */
const commands = new Map(
  [...pagesOf("").get("README.md")!.matchAll(/^\| (Node|Bun|Deno) +\| `npx ([^`]+)` +\| `npx ([^`]+)` +\|$/gm)]
    .map(([, name, service, program]) => [name!.toLowerCase(), { service: service!, program: program! }]),
)

/** What a step's file needs to know of its section, to be run. */
interface Run {
  readonly kind: "service" | "program"
  readonly path: string
  /** What it prints. `^C` is where it is interrupted. */
  readonly output: string
  readonly clients: ReadonlyArray<Typed>
}

const runOf = (section: Section): Run => {
  const transcript = transcriptOf(section)
  const started = transcript.filter(({ command }) => command.startsWith("npx "))
  const clients = transcript.filter(({ command }) => command.startsWith("printf "))
  if (started.length !== 1 || started.length + clients.length !== transcript.length) {
    throw new Error(`${section.number} has to start its step once, and otherwise printf to nc`)
  }
  const [{ command, output }] = started as [Typed] // its length was looked at
  const [, serve, path] = /^npx tsx (cli\/main\.ts serve )?(docs\/tutorial\/steps\/\S+)$/.exec(command) ?? []
  if (path === undefined) throw new Error(`${section.number} starts its step by: ${command}`)
  return { kind: serve === undefined ? "program" : "service", path, output, clients }
}

const spawn = (runtime: Runtime, { kind, path, clients }: Run): Child => {
  const [, text] = readFileSync(join(root, path), "utf8").match(/from "anyport\/(start|auto)"/) ?? []
  const command = commands.get(runtime)![kind].replace(/^tsx /, "node ") // the pinned Node runs TypeScript by itself
    .replace(kind === "program" && text === undefined ? / --allow-net=\S+/ : "", "") // it needs no network
    .replace("FILE", path).split(" ")
  return new Child([...command, ...kind === "service" ? ["--port", "0"] : clients.length > 0 ? ["127.0.0.1:0"] : []])
}

/** The bytes that `printf` makes of its format. */
const printf = (format: string): Buffer =>
  Buffer.from(
    format.replace(/\\(?:n|\\|0?([0-7]{1,3}))/g, (escape, octal: string | undefined) =>
      octal !== undefined ? String.fromCharCode(Number.parseInt(octal, 8)) : escape === "\\n" ? "\n" : "\\"),
  )

/** What `cat -v` makes of control characters. */
const visible = (text: string): string =>
  // deno-lint-ignore no-control-regex
  text.replace(/[\x00-\x08\x0b-\x1f]/g, (control) => `^${String.fromCharCode(control.charCodeAt(0) + 64)}`)

/** Does what the client's command does; what it printed. Without `-N`, nc stays until the server ends. */
const ask = async (port: number, { command, output }: Typed): Promise<string> => {
  const parts = /^printf '([^']*)' \| nc (-N )?127\.0\.0\.1 9000( \| cat -v)?$/.exec(command)
  if (parts === null) throw new Error(`Cannot replay: ${command}`)
  const [, format, finish, cat] = parts
  const client = await connect(port)
  await client.send(printf(format!))
  if (finish === undefined) {
    void client.ended().then(() => client.finish())
    return (await client.receive(Buffer.byteLength(output))).toString()
  }
  client.finish()
  const received = (await client.rest()).toString()
  return cat === undefined ? received : visible(received)
}

// ── Replaying ──────────────────────────────────────────────────────────────────────────────────────────────────────

interface Seen {
  readonly stdout: string
  readonly answers: ReadonlyArray<string>
  readonly code: number | string
}

const listening: Record<Run["kind"], { readonly stream: "stdout" | "stderr"; readonly pattern: RegExp }> = {
  service: { stream: "stderr", pattern: /"message":"listening","address":"127\.0\.0\.1:(\d+)"/ },
  program: { stream: "stdout", pattern: /^listening on 127\.0\.0\.1:(\d+)$/ },
}

/** Waits until a program has printed as many lines as it should, for ten seconds at most. */
const printed = async (child: Child, text: string): Promise<void> => {
  const lines = text.split("\n").length
  if (lines === 1) return
  const enough = child.line("stdout", () => child.stdout.split("\n").length >= lines ? true : undefined)
  await Promise.race([enough.catch(() => {}), delay(10_000, undefined, { ref: false })])
}

const replay = async (runtime: Runtime, run: Run): Promise<Seen> => {
  const child = spawn(runtime, run)
  if (run.clients.length === 0) {
    const { code, stdout, stderr } = await child.ended
    return { stdout: stdout + stderr, answers: [], code }
  }
  const { stream, pattern } = listening[run.kind]
  const port = await child.line(stream, (line) => pattern.exec(line)?.[1])
  const answers: Array<string> = []
  for (const client of run.clients) answers.push(await ask(Number(port), client))
  const [before, after] = run.output.split("^C\n")
  await printed(child, before!)
  child.signal(after !== undefined ? "SIGINT" : run.kind === "service" ? "SIGTERM" : "SIGKILL")
  const { code, stdout } = await child.ended
  return { stdout: stdout.replaceAll(`127.0.0.1:${port}`, "127.0.0.1:9000"), answers, code }
}

const expected = ({ kind, output, clients }: Run): Seen => ({
  stdout: output.replace("^C\n", ""),
  answers: clients.map(({ output }) => output),
  // A program that handles no signal is killed.
  code: kind === "program" && clients.length > 0 && !output.includes("^C\n") ? "SIGKILL" : 0,
})

afterEach(async () => {
  disconnectAll()
  await killAll()
})

describe("each step does on every runtime what the page shows", () => {
  for (const section of sections) {
    it(section.number!, async () => {
      const run = runOf(section)
      const seen = await Promise.all(runtimes.map(async (runtime) => [runtime, await replay(runtime, run)]))
      expect(Object.fromEntries(seen)).toEqual(Object.fromEntries(runtimes.map((runtime) => [runtime, expected(run)])))
    })
  }
})

// ── Pages ──────────────────────────────────────────────────────────────────────────────────────────────────────────

it("each step is a section of its number, which runs it and shows what comes of it", () => {
  const shown = sections.map((section) => {
    const { path, output, clients } = runOf(section)
    expect(output + clients.map(({ output }) => output).join(""), section.number).not.toBe("")
    const name = path.slice("docs/tutorial/steps/".length)
    expect(name.startsWith(`${section.number}-`), `${section.number} runs ${name}`).toBe(true)
    expect(section.fences.map(({ title }) => title), section.number).toContain(`steps/${name}`)
    return name
  })
  expect([...shown, "client.ts"]).toEqual(steps)
})

it("Deno never gets more than it needs", () => {
  expect([...commands.keys()]).toEqual(runtimes)
  const flags = [commands.get("deno")!.service, commands.get("deno")!.program].map((command) => command.match(/-\S+/g))
  expect(flags).toEqual([
    ["--no-prompt", "--allow-net=127.0.0.1", "--allow-read=."],
    ["--no-prompt", "--allow-net=127.0.0.1"],
  ])
})

it("both languages have the same pages, sections and blocks", () => {
  const [english, chinese] = languages.map((language) =>
    [...pagesOf(language)].map(([name, page]) => [
      name,
      sectionsOf(page).map(({ number, fences }) => ({
        number,
        // Drawings may have words in them.
        fences: fences.map((fence) => fence.language === "text" ? { ...fence, text: "" } : fence),
      })),
    ])
  )
  expect(chinese).toEqual(english)
  const tables = languages.map((language) => pagesOf(language).get("README.md")!.match(/`npx [^`]+`/g))
  expect(tables[1]).toEqual(tables[0])
})

describe.each(
  languages.flatMap((language) => [...pagesOf(language)].map(([name, page]) => ({ path: join(language, name), page }))),
)("$path", ({ path, page }) => {
  it("shows files as they are", () => {
    for (const { language, title, text } of sectionsOf(page).flatMap(({ fences }) => fences)) {
      expect(["ts", "console", "sh", "text"], `a block of ${language}`).toContain(language)
      if (language === "ts") {
        expect(text, title).toBe(readFileSync(join(folder, title ?? "a block without a title"), "utf8"))
      }
    }
  })

  it("links to what is there", () => {
    const links = [...page.replace(fencePattern, "").matchAll(/\]\(([^)#]+)[^)]*\)/g)].map((match) => match[1]!)
    expect(links.length).toBeGreaterThan(0)
    for (const link of links) expect(existsSync(join(folder, dirname(path), link)), link).toBe(true)
  })

  it("refers to steps that exist", () => {
    const named = page.replace(fencePattern, "").match(stepNumber) ?? []
    expect(sections.map(({ number }) => number)).toEqual(expect.arrayContaining(named))
  })

  it("tells to run what can be run", () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
    const shell = sectionsOf(page).flatMap(({ fences }) => fences).filter(({ language }) => language === "sh")
    for (const line of shell.flatMap(({ text }) => text.trim().split("\n"))) {
      const [, script, command, file] =
        /^(?:npm run (\S+)|npx tsx cli\/main\.ts (\S+) (\S+).*|deno run .*)$/.exec(line) ?? []
      if (script !== undefined) expect(scripts).toHaveProperty(script)
      else if (command !== undefined) {
        expect([command, file].filter((name, i) => !existsSync(join(root, i === 0 ? `cli/${name}.ts` : name!))))
          .toEqual([])
      } else expect(line).toMatch(/^deno run --no-prompt --allow-net=127\.0\.0\.1:\d+ \S+$/)
    }
  })

  it("has no number that is neither in its code nor in its transcripts nor a default", () => {
    for (const { number, prose, fences } of sectionsOf(page)) {
      if (number === undefined) continue
      const known = new Set([...defaults.values(), ...fences.map(({ text }) => text)].flatMap(numbersIn))
      const said = numbersIn(prose.replace(/^## .*$/m, "").replace(stepNumber, ""))
      expect(said.filter((one) => !known.has(one)), number).toEqual([])
    }
  })
})

const stepNumber = /(?<![\d.])[1-9]\.\d(?!\.?\d)/g

const numbersIn = (text: string): ReadonlyArray<string> =>
  (text.match(/\d[\d,_]*/g) ?? []).map((number) => number.replace(/[,_]/g, ""))

/** What bounds a server on one's own machine, by option: numbers of connections and bytes, and times. */
const defaults: ReadonlyMap<string, string> = new Map(
  (["limits", "deadlines", "drain"] as const).flatMap((group) =>
    Object.entries(Server.presets.local[group])
      .filter(([, value]) => typeof value === "number" ? value > 0 && value < Infinity : /^\d/.test(String(value)))
      .map(([name, value]) => [`${group}.${name}`, String(value)] as const)
  ),
)

it.each(languages)("the table of defaults is complete and right (%s)", (language) => {
  const rows = pagesOf(language).get("4-production-features.md")!
    .matchAll(/^\| `((?:limits|deadlines|drain)\.\w+)` +\| `([^`]+)` +\|/gm)
  const shown = [...rows].map(([, option, value]) => [option, value!.replace(/[_"]/g, "")])
  expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(defaults))
})

afterAll(killAll)
