/**
 * `Client` on every runtime against `anyport serve`: a server that is killed and started again, one that is silent, and a
 * wrong password. What it does when by itself is test/core/client*.test.ts.
 */
import { afterEach, describe, expect, it } from "vitest"
import { Child, killAll, type Runtime, runtimes } from "./child.ts"

afterEach(killAll)

const run = (runtime: Runtime, ...script: ReadonlyArray<string | number>): Child => {
  const deno = ["deno", "run", "--no-prompt", "--quiet", "--allow-net=127.0.0.1", "--allow-read=."]
  return new Child([...(runtime === "deno" ? deno : [runtime]), ...script.map(String)])
}

/** Starts the service of `guarded.ts`, and waits until it listens. */
const serve = async (runtime: Runtime, port: number): Promise<{ readonly server: Child; readonly port: number }> => {
  const server = run(runtime, "cli/main.ts", "serve", "./test/conformance/wire/guarded.ts", "--port", port)
  const bound = await server.line("stderr", (line) => /"listening".*:(\d+)"/.exec(line)?.[1])
  return { server, port: Number(bound) }
}

const client = (runtime: Runtime, port: number, password: string): Child =>
  run(runtime, "test/conformance/wire/client.main.ts", port, password)

const events = ({ stdout }: Child): ReadonlyArray<string> =>
  stdout.split("\n").filter((line) => line.startsWith("event ")).map((line) => line.slice("event ".length))

/** Waits until an event has happened so many times. */
const happened = (child: Child, event: string, times = 1): Promise<true> =>
  child.line("stdout", () => events(child).filter((other) => other === event).length >= times ? true : undefined)

/** Waits for what became of a request. */
const outcome = (child: Child, request: string): Promise<string> =>
  child.line("stdout", (line) => line.startsWith(`${request} -> `) ? line.slice(request.length + 4) : undefined)

/** What a server was sent, once a line of it has come; it is told of later than the client is answered. */
const got = async (server: Child, line: string): Promise<ReadonlyArray<string>> => {
  await server.line("stdout", (other) => other === `got ${line}` ? true : undefined)
  return server.stdout.split("\n").slice(0, -1)
}

describe.each(runtimes)("a client on %s", { timeout: 60_000 }, (runtime) => {
  it("lives through a server that is killed and started again: nothing is sent twice, what was kept is sent", async () => {
    const { server, port } = await serve(runtime, 0)
    const one = client(runtime, port, "secret")
    one.write("first\n")
    expect(await outcome(one, "first")).toBe("echo: first")
    one.write("hang\n")
    expect(await got(server, "hang")).toEqual(["got first", "got hang"])
    await server.kill()
    expect(await outcome(one, "hang")).toBe("Unknown Disconnected")
    const kept = ["a", "b", "c"]
    for (const line of kept) one.write(`${line}\n`)
    await happened(one, "Disconnected Refused", 3)

    const again = await serve(runtime, port)
    for (const line of kept) expect(await outcome(one, line)).toBe(`echo: ${line}`)
    expect(await got(again.server, "c")).toEqual(kept.map((line) => `got ${line}`))

    one.write("close\n")
    expect(await one.ended).toMatchObject({ code: 0, stderr: "" })
    const story = events(one)
    expect(story.slice(0, 3)).toEqual(["Connecting", "Connected", "LoggedIn"])
    expect(story[3]).toMatch(/^Disconnected (PeerReset|PeerClosed)$/)
    const refused = ["Waiting", "Connecting", "Disconnected Refused"]
    for (let index = 4; index < story.length - 6; index++) expect(story[index]).toBe(refused[(index - 4) % 3])
    const end = ["Waiting", "Connecting", "Connected", "LoggedIn", "Disconnected LocalClosed", "Closed LocalClosed"]
    expect(story.slice(-6)).toEqual(end)
  })

  it("leaves a server that is silent, and finds it when it speaks again", async () => {
    const { server, port } = await serve(runtime, 0)
    const one = client(runtime, port, "secret")
    await happened(one, "LoggedIn")
    // From here on its system answers for it, and takes new connections: nothing but time tells.
    server.signal("SIGSTOP")
    one.write("a\n")
    await happened(one, "Disconnected HeartbeatLost")
    expect(await outcome(one, "a")).toBe("Unknown Disconnected")
    one.write("b\n")
    await happened(one, "Disconnected LoginTimeout")
    server.signal("SIGCONT")
    expect(await outcome(one, "b")).toBe("echo: b")
    const lines = await got(server, "b")
    expect(lines.filter((line) => line === "got a").length).toBeLessThan(2)
    expect(lines.filter((line) => line === "got b").length).toBe(1)
    one.write("close\n")
    expect(await one.ended).toMatchObject({ code: 0, stderr: "" })
  })

  it("does not try a wrong password again", async () => {
    const { server, port } = await serve(runtime, 0)
    const one = client(runtime, port, "guess")
    expect(await one.ended).toMatchObject({ code: 0, stderr: "" })
    expect(events(one)).toEqual(["Connecting", "Connected", "Disconnected LoginRefused", "Closed LoginRefused"])
    server.signal("SIGTERM")
    expect((await server.ended).stdout).toBe("")
  })
})
