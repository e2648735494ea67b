/**
 * `anyport load` as a person at a shell meets it, on every runtime: what is on stdout and what on stderr, exit codes, a
 * result that is kept whatever happens, several processes, and one line for whatever is wrong.
 */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { Ajv2020 } from "ajv/dist/2020.js"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import { isProblem } from "../../../load/Problem.ts"
import { decode, type Result } from "../../../load/Result.ts"
import { Child, type End, killAll, type Runtime, runtimes } from "./child.ts"
import { eventually } from "./harness.ts"
import { closeAll, echo, listen } from "./loadServers.ts"

const directory = mkdtempSync(join(tmpdir(), "anyport-load-"))
const temporary = (name: string): string => join(directory, name)

afterEach(closeAll)
afterAll(async () => {
  await killAll()
  rmSync(directory, { recursive: true })
})

/** Deno wants no permission but that of the target, and those of files and processes. */
const start = (runtime: Runtime, args: string, net = "127.0.0.1", permissions: ReadonlyArray<string> = []): Child => {
  const command = runtime === "deno"
    ? ["deno", "run", "--no-prompt", "--quiet", `--allow-net=${net}`, ...permissions]
    : [runtime]
  return new Child([...command, "cli/main.ts", "load", ...args.split(" ")])
}

const load = (...args: Parameters<typeof start>): Promise<End> => start(...args).ended

/** Whether something is as the published schema says, by somebody else's reading of it. */
const published = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(
  JSON.parse(readFileSync(new URL("../../../load/result.schema.json", import.meta.url), "utf8")),
)

/** The result that is all of stdout. */
const resultOf = ({ stdout, stderr }: Pick<End, "stdout" | "stderr">): Result => {
  const result = decode(stdout)
  if (isProblem(result)) throw new Error(`${result.problem}: ${stdout}${stderr}`)
  published(JSON.parse(stdout))
  expect(published.errors).toBeNull()
  return result
}

const url = ({ port }: { readonly port: number }): string => `tcp://127.0.0.1:${port}`

/** What is said of each second. */
const aSecond = (line: string): true | undefined => /^ +\d+ s /.test(line) || undefined

/** A few hundred requests, one after the other on each connection. */
const brief = "--connections 4 --duration 400ms --warmup off --think 5ms"

/** Enough to be ended by a signal. */
const long = "--connections 4 --duration 1h --warmup off --think 20ms"

/** Exactly 200 requests; on a machine that is busy with other things the generator may be late, and says so. */
const doneOrLate = [0, 98]
const twoHundred = "--connections 4 --rate 200 --duration 1s --warmup off"

/** What is wrong with an invocation, and what the line has to say about it. */
const mistakes: ReadonlyArray<readonly [args: string, says: ReadonlyArray<string>]> = [
  ["127.0.0.1:9000", ["127.0.0.1:9000", "tcp://host:port"]],
  ["tcp://127.0.0.1", ["tcp://127.0.0.1", "port"]],
  ["tcp://127.0.0.1:99999", ["99999"]],
  ["http://127.0.0.1:9000", ["http://127.0.0.1:9000", "ws://"]],
  ["--rate 100", ["nothing to load", "tcp://host:port"]],
  ["tcp://127.0.0.1:1 --mode fast", ["--mode", "fast", "closed", "open", "churn"]],
  ["tcp://127.0.0.1:1 --mode open", ["--mode open", "--rate", "--stages"]],
  ["tcp://127.0.0.1:1 --mode closed --rate 5", ["--rate", "open", "closed"]],
  ["tcp://127.0.0.1:1 --rate 5 --stages constant:5:1s", ["--rate", "--stages"]],
  ["tcp://127.0.0.1:1 --duration 5s --stages constant:5:1s", ["--duration", "--stages"]],
  ["tcp://127.0.0.1:1 --rate fast", ["--rate", "fast", "2.5k"]],
  ["tcp://127.0.0.1:1 --rate 1 --duration 100ms", ["--rate", "no request"]],
  ["tcp://127.0.0.1:1 --stages sine:1-2:3s", ["--stages", "sine:1-2:3s", "linear:FROM-TO:DURATION"]],
  ["tcp://127.0.0.1:1 --duration 5", ["--duration", "got 5", "30s"]],
  ["tcp://127.0.0.1:1 --duration off", ["--duration", "off", "24h"]],
  ["tcp://127.0.0.1:1 --connections 0", ["--connections", "0", "1 to"]],
  ["tcp://127.0.0.1:1 --message {nothing}", ["--message", "nothing", "{counter}"]],
  ["tcp://127.0.0.1:1 --message-file nothing.txt", ["--message-file", "nothing.txt", "no file"]],
  ["tcp://127.0.0.1:1 --message a --message-file b", ["--message", "--message-file"]],
  ["tcp://127.0.0.1:1 --framing xml", ["--framing", "xml", "netstring"]],
  ["tcp://127.0.0.1:1 --max-frame 1GiB", ["--max-frame", "1GiB", "64KiB"]],
  ["tcp://127.0.0.1:1 --expect sense", ["--expect", "sense", "regex"]],
  ["tcp://127.0.0.1:1 --expect echo --mode idle", ["--expect", "idle"]],
  ["tcp://127.0.0.1:1 --hello-expect ok", ["--hello-expect", "--hello"]],
  ["tcp://127.0.0.1:1 --heartbeat 30", ["--heartbeat", "30", "30s=PING:PONG"]],
  ["tcp://127.0.0.1:1 --source-address localhost", ["--source-address", "localhost"]],
  ["tcp://127.0.0.1:1 --threshold p99", ["--threshold", "p99", "p99<50ms"]],
  ["tcp://127.0.0.1:1 --find-max fast", ["--find-max", "fast", "p99<50ms"]],
  ["tcp://127.0.0.1:1 --processes 3 --connections 2", ["--processes 3", "2 connections"]],
  ["tcp://127.0.0.1:1 --part 1/2", ["--part", "--processes"]],
  [`tcp://127.0.0.1:1 --report ${temporary("nowhere/x.html")}`, ["--report", "nowhere", "no folder"]],
  ["tcp://127.0.0.1:1 tcp://127.0.0.1:2", ["tcp://127.0.0.1:2", "one server too many"]],
  ["./test/conformance/wire/simple.sim.ts", ["simple.sim.ts names no server", "tcp://host:port"]],
  ["./test/conformance/wire/simple.sim.ts tcp://127.0.0.1:1 --framing lines", ["--framing", "simple.sim.ts"]],
  ["./cli/version.ts", ["./cli/version.ts", "Simulation.make"]],
  ["./nothing.ts", ["./nothing.ts", "no file"]],
  ["--self-test --rate 5", ["--self-test", "--rate"]],
  ["tcp://192.0.2.1:9 --mode silent", ["tcp://192.0.2.1:9", "loopback", "--i-own-this-target"]],
  ["ws://127.0.0.1:1 --mode garbage", ["ws://127.0.0.1:1", "WebSocket", "tcp://"]],
  ["tcp://127.0.0.1:1 --mode slowloris --rate 5", ["--rate", "slowloris"]],
  ["tcp://127.0.0.1:1 --mode slowloris --threshold p99<1s", ["--threshold", "slowloris"]],
  ["tcp://127.0.0.1:1 --mode half-open --connections 20001", ["--connections", "20000", "20001"]],
  ["tcp://127.0.0.1:1 --mode half-open --duration 61m", ["--duration", "1h", "3660000"]],
  ["--mode oversize", ["nothing to attack", "tcp://host:port"]],
  ["merge nothing.json", ["nothing.json", "no file"]],
  ["merge package.json", ["package.json", "anyport-load-result"]],
]

describe.each(runtimes)("%s", (runtime) => {
  it("says what it measured on stdout and how it goes on stderr, and sends what was asked for", async () => {
    const server = await echo()
    const { code, stdout, stderr } = await load(runtime, `${url(server)} ${twoHundred} --expect echo`)
    expect(doneOrLate, stderr).toContain(code)
    expect(server.lines()).toBe(200)
    expect(stdout).toContain(`${url(server)}  open, 4 connections`)
    expect(stdout).toMatch(/\nresponse .* µs|ms/)
    expect(stdout).toContain("No errors")
    expect(stderr).toContain("4 connected\n")
    expect(stderr).toMatch(/\n +1 s +[\d,.]+\/s +p50 [\d.]+ (µs|ms) .* 0 errors +4 connections\n/)
  })

  it("--json is the result, which has nothing else beside it, and --quiet leaves stderr empty", async () => {
    const server = await echo()
    const ended = await load(runtime, `${url(server)} ${brief} --quiet --json`)
    expect({ code: ended.code, stderr: ended.stderr }).toEqual({ code: 0, stderr: "" })
    const { plan, counts, errors, generators, latency, valid, cut } = resultOf(ended)
    expect(plan).toMatchObject({ target: url(server), mode: "closed", connections: 4, framing: "lines" })
    expect({ connected: counts.connected, sent: counts.sent }).toEqual({ connected: 4, sent: server.lines() })
    expect({ errors: errors.total, valid, cut }).toEqual({ errors: 0, valid: true, cut: false })
    expect(latency.response?.count).toBe(counts.replies)
    expect(generators[0]!.runtime).toBe(runtime)
  })

  it("closed, with a hello, messages of a template, and what has to come back", async () => {
    const seen = new Set<string>()
    const server = await listen((line) => {
      if (line === "LOGIN secret") return "WELCOME\n"
      seen.add(line)
      return `echo: ${line}\n`
    })
    const ended = await new Child([
      ...runtime === "deno" ? ["deno", "run", "--no-prompt", "--quiet", "--allow-net=127.0.0.1"] : [runtime],
      ...["cli/main.ts", "load", url(server), "--connections", "2", "--duration", "300ms", "--warmup", "off"],
      ...["--hello", "LOGIN secret", "--hello-expect", "WELCOME", "--message", "{connection:1}-{counter:6}"],
      ...["--expect", "echo:echo: ", "--quiet", "--json"],
    ]).ended
    const { counts, errors } = resultOf(ended)
    expect({ code: ended.code, errors: errors.byKind }).toEqual({ code: 0, errors: {} })
    expect(seen).toContain("0-000000")
    expect(seen).toContain("1-000001")
    expect(server.lines()).toBe(counts.sent + 2)
    expect(ended.stdout).not.toContain("secret")
  })

  it("writes the result, a page and a distribution into files", async () => {
    const server = await echo()
    const files = {
      json: temporary(`${runtime}.json`),
      html: temporary(`${runtime}.html`),
      hgrm: temporary(`${runtime}.hgrm`),
    }
    const { code, stdout, stderr } = await load(
      runtime,
      `${url(server)} ${brief} --quiet --json=${files.json} --report ${files.html} --hgrm ${files.hgrm}`,
      undefined,
      [`--allow-write=${directory}`],
    )
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    expect(stdout).toContain("No errors")
    expect(resultOf({ stdout: readFileSync(files.json, "utf8"), stderr }).counts.sent).toBe(server.lines())
    expect(readFileSync(files.html, "utf8")).toMatch(/^<!doctype html>[\s\S]*<\/html>\n?$/)
    expect(readFileSync(files.hgrm, "utf8")).toContain("TotalCount")
  })

  it("lets hostile clients loose, and says what became of them and of one that is well-behaved", async () => {
    let visits = 0
    const server = await listen((line) => {
      visits++
      return `${line}\n`
    })
    const attack = `${url(server)} --mode torn-frames --connections 3 --duration 1s --message hello`
    const text = await load(runtime, attack)
    expect({ code: text.code, stderr: text.stderr }).toEqual({ code: 0, stderr: "" })
    expect(text.stdout).toContain(`${url(server)}  torn-frames: each sends requests in parts`)
    expect(text.stdout).toMatch(/\nhostile +\d+ connections in [\d.]+ s: /)
    expect(text.stdout).toMatch(/\ndecent +10 of 10 requests answered\n/)
    // At least one was cut at each place, besides those of the one who is well-behaved.
    expect(visits).toBeGreaterThanOrEqual(10 + "hello".length)
    const { code, stdout, stderr } = await load(runtime, `${attack} --quiet --json`)
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    expect(JSON.parse(stdout)).toMatchObject({
      format: "anyport-hostile-result",
      target: url(server),
      mode: "torn-frames",
      decent: { scheduled: 10, replies: 10, failures: {} },
      cut: false,
    })
  })

  it("nobody to attack: what came of it, one line that says so, and 1", async () => {
    const { code, stdout, stderr } = await load(runtime, "tcp://127.0.0.1:1 --mode silent --duration 200ms")
    expect({ code, lines: stderr.split("\n").length - 1 }, stderr).toEqual({ code: 1, lines: 1 })
    expect(stderr).toContain("tcp://127.0.0.1:1: could not connect (connect-refused)")
    expect(stdout).toContain("connect-refused, 50 times")
  })

  it("a signal ends an attack early, with what came of it, and 0", async () => {
    const server = await echo()
    const child = start(runtime, `${url(server)} --mode half-open --connections 5 --duration 1h --quiet --json`)
    await eventually(() => Promise.resolve(server.lines() > 5 || undefined))
    child.signal("SIGINT")
    const { code, stdout, stderr } = await child.ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    expect(JSON.parse(stdout)).toMatchObject({ connections: 5, endings: { survived: 5 }, cut: true })
  })

  it("a port at which nobody listens: one line that says so, 1, and a result", async () => {
    const server = await echo()
    const { port } = server
    server.die()
    const ended = await load(runtime, `tcp://127.0.0.1:${port} --connections 3 --quiet --json`)
    expect(ended.code).toBe(1)
    expect(ended.stderr).toMatch(
      new RegExp(
        `^anyport: tcp://127.0.0.1:${port}: could not connect \\(connect-refused, 3 times\\): nobody listens [^\\n]*\\n$`,
      ),
    )
    expect(resultOf(ended)).toMatchObject({ cut: true, errors: { total: 3, byKind: { "connect-refused": 3 } } })
  })

  it("a name without an address: one line that says so, and 1", async () => {
    const host = "anyport.invalid"
    const { code, stderr } = await load(runtime, `tcp://${host}:9 --connections 1 --quiet`, `${host}:9`)
    expect(code).toBe(1)
    expect(stderr).toMatch(/^anyport: .*name-not-found, once.*\n$/)
  })

  it("a way there that this machine has not: one line that says which, and 1", async () => {
    const server = await listen(() => "no handshake\n")
    const { port } = server
    const env = ["--allow-env=WS_NO_BUFFER_UTIL,WS_NO_UTF_8_VALIDATE"]
    for (
      const [args, why] of [
        [`${url(server)} --source-address 192.0.2.7`, "source-unavailable"],
        [`ws://127.0.0.1:${port}/`, "handshake-failed"],
      ] as const
    ) {
      const { code, stderr } = await load(runtime, `${args} ${brief} --quiet`, "127.0.0.1,192.0.2.7", env)
      expect({ code, lines: stderr.split("\n").length - 1 }, stderr).toEqual({ code: 1, lines: 1 })
      expect(stderr).toContain(`could not connect (${why}, 4 times)`)
    }
  })

  it("a server that answers something else: 1 when nothing was right, and how often it was not", async () => {
    const server = await listen(() => "nonsense\n")
    const ended = await load(runtime, `${url(server)} ${brief} --expect echo --quiet --json`)
    expect(ended.code).toBe(1)
    expect(ended.stderr).toMatch(/^anyport: .*no request was answered as it should be \(reply-wrong, \d+ times\).*\n$/)
    const { errors, counts } = resultOf(ended)
    expect(errors).toEqual({ total: counts.replies, share: 1, byKind: { "reply-wrong": counts.replies } })
  })

  it("a server that answers what is no frame: 1, and a result", async () => {
    const server = await listen(() => "HTTP/1.1 400 Bad Request\r\n\r\n")
    // The length holds a line feed, which is what this server waits for.
    const args = `--framing length:4 --message {size:10} --connections 2 --duration 500ms --warmup off`
    const ended = await load(runtime, `${url(server)} ${args} --quiet --json`)
    expect(ended.code).toBe(1)
    expect(ended.stderr).toContain("--framing")
    expect(resultOf(ended).errors.byKind["reply-invalid"]).toBeGreaterThan(0)
  })

  it("a server that answers nothing, not even in the warm-up: 1, and how many requests waited", async () => {
    const server = await listen(() => undefined)
    const { code, stdout, stderr } = await load(
      runtime,
      `${url(server)} --connections 4 --warmup 200ms --duration 300ms --grace 100ms --quiet --json`,
    )
    expect({ code, lines: stderr.split("\n").length - 1 }, stderr).toEqual({ code: 1, lines: 1 })
    expect(stderr).toContain("no request was answered as it should be (reply-timeout, 4 times)")
    expect(resultOf({ stdout, stderr }).errors.byKind).toEqual({ "reply-timeout": 4 })
  })

  it("a server that dies half-way: what was measured is kept, and thresholds say whether that is a failure", async () => {
    const dying = () =>
      listen((line, count, server) => {
        if (count === 40) server.die()
        return `${line}\n`
      })
    const args = "--connections 4 --think 10ms --duration 1500ms --warmup off --quiet --json"
    const ended = await load(runtime, `${url(await dying())} ${args}`)
    const { counts, errors, cut } = resultOf(ended)
    expect({ code: ended.code, cut }).toEqual({ code: 0, cut: false })
    expect(counts.replies).toBeGreaterThan(30)
    expect(errors.byKind["connect-refused"]).toBeGreaterThan(0)
    const judged = await load(runtime, `${url(await dying())} ${args} --threshold errors<1%`)
    expect(judged.code).toBe(99)
    expect(judged.stderr).toMatch(/^anyport: The result misses errors<1% \(\d.*%\)\n$/)
    expect(resultOf(judged).thresholds).toMatchObject([{ text: "errors<1%", ok: false }])
  })

  it("thresholds that hold are 0, and those that do not are 99 with what was measured", async () => {
    const server = await echo()
    const { code, stdout, stderr } = await load(
      runtime,
      `${url(server)} ${brief} --quiet --threshold errors<1,rate>1 --threshold p50<1us`,
    )
    expect(code).toBe(99)
    expect(stdout).toMatch(/✓ +errors<1 .*\n✓ +rate>1 .*\n✗ +p50<1us /)
    expect(stderr).toMatch(/^anyport: The result misses p50<1us \([\d.]+ (µs|ms)\)\n$/)
    expect((await load(runtime, `${url(server)} ${brief} --quiet --threshold errors<1`)).code).toBe(0)
  })

  it("a schedule that the generator itself missed is no result: 98", async () => {
    const server = await echo()
    const child = start(runtime, `${url(server)} --connections 4 --rate 500 --duration 2500ms --warmup off --json`)
    await child.line("stderr", aSecond)
    child.signal("SIGSTOP")
    await new Promise((resolve) => setTimeout(resolve, 700))
    child.signal("SIGCONT")
    const ended = await child.ended
    expect(ended.code, ended.stderr).toBe(98)
    expect(ended.stderr).toMatch(/\nanyport: The result is not valid: .*late.*\n$/)
    expect(resultOf(ended).valid).toBe(false)
  })

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    it(`${signal} ends it early with the result so far, and 0`, async () => {
      const server = await echo()
      const child = start(runtime, `${url(server)} ${long} --json`)
      await child.line("stderr", aSecond)
      child.signal(signal)
      const ended = await child.ended
      expect(ended.code, ended.stderr).toBe(0)
      const { cut, counts, measured } = resultOf(ended)
      expect(cut).toBe(true)
      expect(counts.replies).toBeGreaterThan(5)
      expect(measured).toBeLessThan(30_000)
    })
  }

  it("a second signal ends it at once, with its number and no result", async () => {
    // It never answers, so that the first signal waits for replies that are left.
    const server = await listen(() => undefined)
    const child = start(runtime, `${url(server)} --connections 4 --duration 1h --warmup off`)
    await child.line("stderr", aSecond)
    child.signal("SIGINT")
    child.signal("SIGTERM")
    const { code, stdout } = await child.ended
    // Whichever the runtime hears last.
    expect([130, 143]).toContain(code)
    expect(stdout).toBe("")
  })

  it.concurrent.each(runtime === "node" ? mistakes : mistakes.slice(0, 4))(
    "anyport load %s: one line and 2",
    async (args, says) => {
      const { code, stdout, stderr } = await load(runtime, args, undefined, [
        "--allow-read",
        `--allow-write=${directory}`,
      ])
      expect({ code, stdout, lines: stderr.split("\n").length - 1 }, stderr).toEqual({ code: 2, stdout: "", lines: 1 })
      expect(stderr).toMatch(/^anyport: /)
      for (const part of says) expect(stderr).toContain(part)
    },
  )

  describe("--processes", () => {
    const permissions = ["--allow-env", "--allow-run=deno,cat"]

    it("share connections and requests, so that all of them together are what was asked for", async () => {
      const numbers = new Set<string>()
      const server = await listen((line) => {
        numbers.add(line)
        return `${line}\n`
      })
      const ended = await load(
        runtime,
        `${
          url(server)
        } --connections 5 --rate 201 --duration 1s --warmup off --processes 2 --message {connection:1} --json`,
        undefined,
        permissions,
      )
      expect(doneOrLate, ended.stderr).toContain(ended.code)
      const { plan, counts, errors, generator, generators, rates, latency } = resultOf(ended)
      expect(server.lines()).toBe(201)
      expect([...numbers].sort()).toEqual(["0", "1", "2", "3", "4"])
      expect(counts).toMatchObject({ connected: 5, sent: 201, replies: 201, scheduled: 201 })
      expect(plan).toMatchObject({ connections: 5, stages: [{ from: 201, to: 201, duration: 1_000 }] })
      expect({ errors: errors.total, processes: generator.processes, many: generators.length }).toEqual({
        errors: 0,
        processes: 2,
        many: 2,
      })
      expect(rates.target).toBeCloseTo(201, -1)
      expect(latency.response?.count).toBe(201)
      expect(ended.stderr).toContain("5 connected\n")
      expect(ended.stderr).toContain(" 5 connections\n")
    })

    it("one of them that dies is named: 1, and the result of the others", {
      skip: process.platform !== "linux",
    }, async () => {
      const server = await echo()
      const child = start(
        runtime,
        `${url(server)} --connections 4 --think 20ms --duration 2500ms --warmup off --processes 2 --json`,
        undefined,
        permissions,
      )
      await child.line("stderr", aSecond)
      const [victim] = execFileSync("pgrep", ["-P", String(child.pid)], { encoding: "utf8" }).trim().split("\n")
      process.kill(Number(victim), "SIGKILL")
      const ended = await child.ended
      expect(ended.code).toBe(1)
      expect(ended.stderr).toContain("anyport: A process died (SIGKILL); the result is that of the others\n")
      const { counts, plan, warnings } = resultOf(ended)
      expect(plan.connections).toBe(4)
      expect(counts.connected).toBe(2)
      expect(warnings.join()).toContain("died (SIGKILL)")
    })

    it("a signal ends all of them early, with the result so far", async () => {
      const server = await echo()
      const child = start(
        runtime,
        `${url(server)} ${long} --processes 2 --json`,
        undefined,
        permissions,
      )
      await child.line("stderr", aSecond)
      child.signal("SIGINT")
      const ended = await child.ended
      expect(ended.code, ended.stderr).toBe(0)
      expect(resultOf(ended)).toMatchObject({ cut: true, generator: { processes: 2 } })
    })
  })

  it("merge adds results, and refuses those that are not of one load", async () => {
    const server = await echo()
    const files = [temporary(`${runtime}-a.json`), temporary(`${runtime}-b.json`), temporary(`${runtime}-c.json`)]
    const permissions = [`--allow-read=${directory}`, `--allow-write=${directory}`]
    const [one, other, different] = files
    const { code } = await load(runtime, `${url(server)} ${brief} --quiet --json=${one}`, undefined, permissions)
    expect(code).toBe(0)
    const text = readFileSync(one!, "utf8")
    const { sent } = resultOf({ stdout: text, stderr: "" }).counts
    writeFileSync(other!, text)
    writeFileSync(different!, text.replace('"mode": "closed"', '"mode": "flood"'))
    const merged = await load(
      runtime,
      `merge ${one} ${other} --quiet --json --threshold rate>1M`,
      undefined,
      permissions,
    )
    expect(merged.code).toBe(99)
    expect(merged.stderr).toContain("rate>1M")
    const { counts, plan, latency, generators } = resultOf(merged)
    expect(counts).toMatchObject({ sent: 2 * sent, replies: 2 * sent, connected: 8 })
    expect({ connections: plan.connections, count: latency.response?.count, generators: generators.length }).toEqual({
      connections: 8,
      count: 2 * sent,
      generators: 2,
    })
    const refused = await load(runtime, `merge ${one} ${different}`, undefined, permissions)
    expect(refused).toMatchObject({ code: 2, stdout: "", stderr: expect.stringMatching(/^anyport: .*mode is .*\n$/) })
  })

  it("clients of a module do what it says, also by several processes, each with its own number", async () => {
    const numbers = new Set<string>()
    const server = await listen((line) => {
      numbers.add(line)
      return `${line}\n`
    })
    const ended = await load(
      runtime,
      `./test/conformance/wire/simple.sim.ts ${
        url(server)
      } --connections 3 --duration 400ms --warmup off --processes 2 --json`,
      undefined,
      ["--allow-read=.", "--allow-env", "--allow-run=deno,cat"],
    )
    expect(ended.code, ended.stderr).toBe(0)
    expect([...numbers].sort()).toEqual(["from 0", "from 1", "from 2"])
    const { counts, errors } = resultOf(ended)
    expect(errors.total).toBe(0)
    expect(counts.replies).toBeGreaterThan(3)
  })

  it("--self-test says what the generator reaches, and leaves nothing behind", async () => {
    const ended = await load(runtime, "--self-test --duration 300ms --connections 4 --json", undefined, [
      "--allow-env",
      "--allow-run=deno,cat",
    ])
    expect(ended.code, ended.stderr).toBe(0)
    const { runtime: name, ceilings } = JSON.parse(ended.stdout)
    expect(name).toContain(runtime)
    expect(ceilings).toHaveLength(3)
    for (const { rate } of ceilings) expect(rate).toBeGreaterThan(100)
  })

  it("a search at a port where nobody listens ends at once, with 1", async () => {
    const server = await echo()
    const { port } = server
    server.die()
    const ended = await load(runtime, `tcp://127.0.0.1:${port} --find-max p99<10ms --quiet --json`)
    expect(ended.code).toBe(1)
    expect(resultOf(ended)).toMatchObject({ search: { limit: "cut" }, errors: { byKind: { "connect-refused": 50 } } })
  })
})

it("--find-max says the highest rate that held and was confirmed", async () => {
  const server = await echo()
  // What holds is known here: it is the rate itself.
  const ended = await load(
    "node",
    `${url(server)} --find-max rate<130 --rate 120 --duration 1200ms --warmup off --json`,
  )
  const { search, thresholds } = resultOf(ended)
  // On a machine that is busy with other things the generator may be late, which the search says instead.
  expect(doneOrLate, ended.stderr).toContain(ended.code)
  if (ended.code === 98) return expect(search).toMatchObject({ limit: "generator" })
  expect(["server", "generator"]).toContain(search?.limit)
  expect(search?.rate).toBeLessThan(135)
  expect(search?.trials.at(-1)).toMatchObject({ confirmation: true, outcome: "held", duration: 1_200 })
  expect(thresholds).toMatchObject([{ text: "rate<130", ok: true }])
  expect(ended.stderr).toMatch(/\/s +held +confirmation +rate<130: /)
}, 60_000)
