/**
 * HAProxy, as `deploy/haproxy.cfg` configures it, in front of Anyport: who the service is told that it talks to, health
 * checks, and what happens when Anyport drains. The file is used as it is; only its variables are set.
 */
import { execFile } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { networkInterfaces, tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { command, type Runtime, runtimes } from "../../scripts/child.ts"
import { Child, killAll } from "../conformance/wire/child.ts"
import { connect, disconnectAll } from "../conformance/wire/client.ts"

// Where Debian puts it, which is not in everybody's PATH.
const installed = "/usr/sbin/haproxy"
const program = existsSync(installed) ? installed : "haproxy"

const config = "deploy/haproxy.cfg"
const versions = [1, 2] as const
const names = { 1: "anyport-v1", 2: "anyport" } // of the sections
const hasIPv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"))

afterEach(disconnectAll)
afterAll(killAll)

/** HAProxy, where it sends its clients, and where it takes them: to greet with version 1 and with version 2. */
interface Proxy {
  readonly child: Child
  readonly server: number
  readonly ports: Record<1 | 2, number>
}

/** Starts HAProxy in front of nothing, at a port or at `path`. That it says so is the sign that it listens. */
const haproxy = async (path?: string, attempts = 3): Promise<Proxy> => {
  const [v1, v2, server] = await freePorts()
  const bind = (port: number): string => `127.0.0.1:${port}${hasIPv6 ? `,[::1]:${port}` : ""}`
  const variables = {
    ANYPORT_BIND: bind(v2),
    ANYPORT_BIND_V1: bind(v1),
    ANYPORT_SERVER: path === undefined ? `127.0.0.1:${server}` : `unix@${path}`,
    ANYPORT_MAXCONN: "100",
    ANYPORT_CHECK: "50ms",
  }
  const settings = Object.entries(variables).map(([name, value]) => `${name}=${value}`)
  const child = new Child(["env", ...settings, program, "-db", "-f", config])
  try {
    await saysBoth(child, "DOWN")
  } catch (error) {
    const taken = (await child.ended).stderr.includes("cannot bind socket")
    if (taken && attempts > 1) return haproxy(path, attempts - 1)
    throw error
  }
  return { child, server, ports: { 1: v1, 2: v2 } }
}

/** Waits until HAProxy says of the server, in both sections, that it is up or down. */
const saysBoth = async (child: Child, state: "UP" | "DOWN"): Promise<void> => {
  for (const name of Object.values(names)) {
    await child.line("stdout", (line) => line.startsWith(`Server ${name}/anyport is ${state}`) || undefined)
  }
}

/** Three ports that were free a moment ago. */
const freePorts = async (): Promise<readonly [number, number, number]> => {
  const servers = [1, 2, 3].map(() => createServer().listen(0, hasIPv6 ? "::" : "127.0.0.1"))
  await Promise.all(servers.map((server) => once(server, "listening")))
  const ports = servers.map((server) => (server.address() as { readonly port: number }).port) // it listens on TCP
  await Promise.all(servers.map((server) => once(server.close(), "close")))
  return [ports[0]!, ports[1]!, ports[2]!]
}

/** A server behind HAProxy, and HAProxy, which has found it. */
const behind = async (server: (port: string) => ReadonlyArray<string>, path?: string) => {
  const proxy = await haproxy(path)
  const child = new Child(server(String(proxy.server)))
  const early = child.ended.then(({ stderr }) => Promise.reject(new Error(`The server ended: ${stderr}`)))
  early.catch(() => {}) // later on it may
  await Promise.race([saysBoth(proxy.child, "UP"), early])
  return { server: child, proxy }
}

const main = (runtime: Runtime) => (port: string) => command(runtime, "test/interop/haproxy.main.ts", port)

/** What `haproxy.main.ts` prints, as far as it is read here. */
interface Told {
  readonly _tag: string
  readonly count?: number
  readonly limit?: string
  readonly remoteAddress?: { readonly host: string }
  readonly report?: { readonly forced: number; readonly unsent: number }
}

const parse = (line: string): Told => JSON.parse(line) as Told // it prints nothing else

/** How many probes were counted so far, and what was printed until then. */
const probesOf = ({ stdout }: Child): { readonly count: number; readonly told: ReadonlyArray<Told> } => {
  const told = stdout.split("\n").slice(0, -1).map(parse)
  return { told, count: Math.max(0, ...told.map(({ count = 0 }) => count)) }
}

describe("deploy/haproxy.cfg", () => {
  it("is valid, without a warning", async () => {
    const { stdout, stderr } = await promisify(execFile)(program, ["-c", "-f", config])
    expect(stderr + stdout).toBe("Configuration file is valid\n")
  })
})

describe.each(runtimes)("behind HAProxy, on %s", (runtime) => {
  let server: Child
  let proxy: Proxy
  beforeAll(async () => {
    ;({ server, proxy } = await behind(main(runtime)))
  })

  const hosts = [["127.0.0.9", "127.0.0.1"], ...hasIPv6 ? [["::1", "::1"]] : []]
  const cases = versions.flatMap((version) => hosts.map(([from, to]) => ({ version, from: from!, to: to! })))

  it.each(cases)("version $version names the client $from and the $to that it connected to", async (one) => {
    const { version, from, to } = one
    const client = await connect(proxy.ports[version], to, false, from)
    const answer = JSON.parse(await client.ask("who"))
    const written = (host: string): string => host.includes(":") ? `[${host}]` : host
    expect(answer).toEqual({
      line: "who",
      client: `${written(from)}:${client.port}`,
      server: `${written(to)}:${proxy.ports[version]}`,
      header: {
        version,
        command: "PROXY",
        tlvs: version === 1 ? {} : { crc32c: true, uniqueId: expect.stringMatching(/^[\dA-F]+:[\dA-F]{4}_/) },
      },
    })
    await client.send("last\n")
    client.finish()
    expect(JSON.parse(await client.line()).line).toBe("last")
    expect(await client.ended()).toBe("fin")
    const log = await proxy.child.line(
      "stdout",
      (line) => line.startsWith(`${from}:${client.port} `) ? line : undefined,
    )
    expect(log).toContain(`${names[version]}/anyport`)
    expect(log).toContain(answer.header.tlvs.uniqueId ?? "")
  })

  it("counts health checks as probes, and logs none", async () => {
    const before = probesOf(server)
    const logged = server.stderr
    const states = proxy.child.stdout.match(/^Server /gm)
    await server.line("stdout", (line) => (parse(line).count ?? 0) >= before.count + 20 || undefined)
    const { told } = probesOf(server)
    // One that was not reset before it was accepted has a header, and so becomes a connection.
    const expected = ["Probes", "Probed", "Opened", "Closed"]
    const others = new Set(told.slice(before.told.length).map(({ _tag }) => _tag))
    expect([...others].filter((tag) => !expected.includes(tag))).toEqual([])
    expect(server.stderr).toBe(logged)
    expect(proxy.child.stdout.match(/^Server /gm)).toEqual(states)
  })

  it("refuses the same header of somebody else", async () => {
    const request = "PROXY TCP4 198.51.100.7 198.51.100.1 4711 443\r\nwho\n"
    const stranger = await connect(proxy.server, "127.0.0.1", false, "127.0.0.5")
    await stranger.send(request)
    stranger.finish()
    expect((await stranger.rest()).toString()).toBe("")
    const limit = await server.line("stdout", (line) => {
      const { _tag, limit, remoteAddress } = parse(line)
      return _tag === "Refused" && remoteAddress?.host === "127.0.0.5" ? limit : undefined
    })
    expect(limit).toBe("proxy.trusted")
    const trusted = await connect(proxy.server)
    expect(JSON.parse(await trusted.ask(request.slice(0, -1)))).toMatchObject({ client: "198.51.100.7:4711" })
  })

  it("drains without losing an answer, once HAProxy sends nobody any more", async () => {
    const { server, proxy } = await behind(main(runtime))
    const ports = Array.from({ length: 16 }, (_, index) => proxy.ports[versions[index % 2]!])
    const open = (): Promise<ReadonlyArray<Awaited<ReturnType<typeof connect>>>> =>
      Promise.all(ports.map((port) => connect(port, "127.0.0.1", false, "127.0.0.9")))
    const [busy, idle] = await Promise.all([open(), open()])
    for (const client of [...busy, ...idle]) client.socket.once("end", () => client.finish())
    await Promise.all(idle.map((client) => client.ask("who")))
    await Promise.all(busy.map((client) => client.send("hold\n")))
    for (const { port } of busy) {
      await server.line("stdout", (line) => line.includes(`{"_tag":"Held","client":"127.0.0.9:${port}"}`) || undefined)
    }
    server.signal("SIGTERM")
    proxy.child.stdout = "" // in which it was down before it was up
    await saysBoth(proxy.child, "DOWN")
    const late = await connect(proxy.ports[2])
    expect((await late.rest()).toString()).toBe("")
    server.write("release\n")
    const answers = await Promise.all(busy.map(async (client) => JSON.parse(await client.line()).client))
    expect(answers).toEqual(busy.map(({ port }) => `127.0.0.9:${port}`))
    expect(new Set(await Promise.all([...busy, ...idle].map((client) => client.ended())))).toEqual(new Set(["fin"]))
    const { code } = await server.ended
    expect(code).toBe(0)
    expect(probesOf(server).told.at(-1)).toMatchObject({ _tag: "Drained", report: { forced: 0, unsent: 0 } })
  })

  it("is what `anyport serve --proxy-from` is for", async () => {
    const flags = ["--preset", "behind-proxy", "--proxy-from", "127.0.0.1/32"]
    const { server, proxy } = await behind((port) => command(runtime, "cli/main.ts", "serve", "--port", port, ...flags))
    for (const version of versions) {
      const client = await connect(proxy.ports[version], "127.0.0.1", false, "127.0.0.9")
      expect(await client.ask("hello")).toBe("echo: hello")
    }
    const direct = await connect(proxy.server)
    await direct.send("hello\n")
    expect((await direct.rest()).toString()).toBe("")
    await server.line("stderr", (line) => line.includes('"limit":"proxy.header"') || undefined)
  })
})

// Deno would need permissions by path.
describe.each(["node", "bun"] as const)("behind HAProxy, on %s with a Unix socket", (runtime) => {
  it("is what `anyport serve --unix --proxy-from unix` is for", async () => {
    const folder = mkdtempSync(join(tmpdir(), "anyport-haproxy-"))
    const path = join(folder, "anyport.sock")
    const flags = ["--unix", path, "--proxy-from", "unix"]
    try {
      const { server, proxy } = await behind(() => command(runtime, "cli/main.ts", "serve", ...flags), path)
      for (const version of versions) {
        const client = await connect(proxy.ports[version], "127.0.0.1", false, "127.0.0.9")
        expect(await client.ask("hello")).toBe("echo: hello")
      }
      disconnectAll()
      server.signal("SIGTERM")
      expect((await server.ended).stderr).not.toContain('"level":"warn"')
    } finally {
      await killAll()
      rmSync(folder, { recursive: true })
    }
  })
})
