/**
 * systemd's own programs and Anyport: what `systemd-notify` says for it arrives at a socket like systemd's,
 * `systemd-socket-activate` passes it sockets, and `systemd-analyze` reads the units of `deploy/`. Systemd itself does not
 * run here.
 */
import { execFile } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { once } from "node:events"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { promisify } from "node:util"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import { Child, killAll, root, type Runtime, runtimes } from "../conformance/wire/child.ts"
import { connect, connectUnix, disconnectAll } from "../conformance/wire/client.ts"

const directory = mkdtempSync(join(tmpdir(), "anyport-systemd-"))
const run = promisify(execFile)

afterEach(disconnectAll)
afterAll(async () => {
  await killAll()
  rmSync(directory, { recursive: true })
})

/** How a script is run: on Deno with what a unit of systemd needs, and no more. */
const command = (runtime: Runtime, net: string, ...script: ReadonlyArray<string>): ReadonlyArray<string> => {
  const variables = "NOTIFY_SOCKET,WATCHDOG_USEC,WATCHDOG_PID,LISTEN_PID,LISTEN_FDS,LISTEN_FDNAMES"
  const permissions = [`--allow-net=${net}`, `--allow-env=${variables}`, "--allow-run=systemd-notify"]
  return runtime === "deno"
    ? ["deno", "run", "--no-prompt", "--quiet", ...permissions, ...script]
    : [runtime, ...script]
}

const reloading = "test/conformance/wire/reloading.ts"

/** What arrived, from which process, whether that was still there, and CLOCK_MONOTONIC in microseconds. */
interface Received {
  readonly text: string
  readonly sender: number
  readonly alive: boolean
  readonly now: number
}

// As systemd reads: with the sender's credentials, closing the descriptor of a barrier.
const receiver = `
import array, json, os, socket, struct, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
print("bound", flush=True)
while True:
    data, control, _, _ = s.recvmsg(65536, 4096)
    sender = 0
    for _, kind, content in control:
        if kind == socket.SCM_CREDENTIALS: sender = struct.unpack("i", content[:4])[0]
        if kind == socket.SCM_RIGHTS: [os.close(fd) for fd in array.array("i", content)]
    now = time.monotonic_ns() // 1000
    alive = os.path.exists(f"/proc/{sender}")
    if data != b"BARRIER=1": print(json.dumps(dict(text=data.decode(), sender=sender, alive=alive, now=now)), flush=True)
`

/** A socket where systemd would be, and a way to wait for what comes there. */
const systemd = async (name: string) => {
  const path = join(directory, `${name}.sock`)
  const child = new Child(["python3", "-c", receiver, path])
  await child.line("stdout", (line) => line === "bound" || undefined)
  const all = (): ReadonlyArray<Received> =>
    child.stdout.split("\n").slice(1, -1).map((line) => JSON.parse(line) as Received) // it prints nothing else
  const said = (pattern: RegExp): Promise<Received> =>
    child.line("stdout", (line) => {
      const received: Received | undefined = line.startsWith("{") ? JSON.parse(line) : undefined
      return received !== undefined && pattern.test(received.text) ? received : undefined
    })
  return { path, all, said }
}

describe.each(runtimes)("%s tells systemd", (runtime) => {
  it("that it is ready, alive and draining, in this order, from a process that can still be found", async () => {
    const { path, all, said } = await systemd(runtime)
    const serve = command(runtime, "127.0.0.1:0", "cli/main.ts", "serve", "--port", "0", "--drain-delay", "3s")
    const server = new Child(["env", `NOTIFY_SOCKET=${path}`, "WATCHDOG_USEC=400000", ...serve])
    await said(/^READY=1\nSTATUS=0 connections$/)
    await said(/WATCHDOG=1/)
    server.signal("SIGTERM")
    await said(
      /^STOPPING=1\n(WATCHDOG=1\n)?STATUS=draining \(announced\), 0 connections left\nEXTEND_TIMEOUT_USEC=30000000/,
    )
    const { code, stderr } = await server.ended
    expect(code, stderr).toBe(0)
    expect(stderr).not.toContain("systemd cannot be told")
    const states = all().flatMap(({ text }) => /^(READY|STOPPING)=1$/m.exec(text)?.[1] ?? [])
    expect(states).toEqual(["READY", "STOPPING"])
    expect(all().filter(({ alive }) => !alive)).toEqual([])
  })

  it("when it reloads, with the time where there is a way to know it", async () => {
    const { path, all, said } = await systemd(`${runtime}-reload`)
    const program = new Child(["env", `NOTIFY_SOCKET=${path}`, ...command(runtime, "127.0.0.1:0", reloading)])
    const ready = await said(/^READY=1/)
    const { text, now } = await said(/RELOADING=1/)
    const again = await said(/^READY=1$/) // without a status, for it has not changed
    expect(all().map(({ text }) => /^(READY|RELOADING)=1$/m.exec(text)?.[1])).toEqual(["READY", "RELOADING", "READY"])
    expect(again.now - ready.now).toBeGreaterThan(450_000)
    const [, version] = /^systemd (\d+)/.exec((await run("systemd-notify", ["--version"])).stdout) ?? []
    const micros = /^MONOTONIC_USEC=(\d+)$/m.exec(text)?.[1]
    if (runtime === "node" || Number(version) >= 253) {
      expect(Number(micros)).toBeGreaterThan(ready.now - 5_000_000)
      expect(Number(micros)).toBeLessThanOrEqual(now)
    } else expect(micros).toBeUndefined()
    await program.kill()
  })
})

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as { readonly port: number } // it listens on TCP
  server.close()
  return port
}

/** Serves by sockets that `systemd-socket-activate` opens; it starts the program when the first client comes. */
const activated = async (addresses: ReadonlyArray<string>, serve: ReadonlyArray<string>, names: string) => {
  const sockets = addresses.flatMap((address) => ["--listen", address])
  const child = new Child(["systemd-socket-activate", "-E", "PATH", ...sockets, "--fdname", names, ...serve])
  for (const address of addresses) {
    await child.line("stderr", (line) => line.startsWith(`Listening on ${address}`) || undefined)
  }
  return child
}

describe.each(["node", "bun"] as const)("%s, started by systemd-socket-activate", (runtime) => {
  const serve = (...args: ReadonlyArray<string>) => command(runtime, "", "cli/main.ts", "serve", ...args)

  it("serves the client that it was started for", async () => {
    const port = await freePort()
    const server = await activated([`127.0.0.1:${port}`], serve(), "web")
    const client = await connect(port)
    expect(await client.ask("hello")).toBe("echo: hello")
    await server.line("stderr", (line) => line.includes(`"listening","address":"127.0.0.1:${port}"`) || undefined)
    server.signal("SIGTERM")
    expect(await client.ended()).toBe("fin")
    client.finish()
    expect((await server.ended).code).toBe(0)
  })

  it("serves by the socket that is named, also when it has a path", async () => {
    const [port, path] = [await freePort(), join(directory, `${runtime}-activated.sock`)]
    const server = await activated([`127.0.0.1:${port}`, path], serve("--listen-fd", "local"), "web:local")
    const client = await connectUnix(path)
    expect(await client.ask("hello")).toBe("echo: hello")
    await server.line("stderr", (line) => line.includes(`"listening","address":"unix:${path}"`) || undefined)
    await server.kill()
  })
})

it("deno, started by systemd-socket-activate, says that it cannot take over the socket", async () => {
  const port = await freePort()
  const server = await activated([`127.0.0.1:${port}`], command("deno", "127.0.0.1", "cli/main.ts", "serve"), "web")
  await connect(port)
  const { code, stderr } = await server.ended
  expect(code).toBe(2)
  expect(stderr).toContain(
    "Deno cannot take over a listening socket: serve by Node or Bun, or disable the .socket unit",
  )
})

describe("deploy/", () => {
  const unit = (name: string): string => readFileSync(join(root, "deploy", name), "utf8")

  it("has units that systemd understands, and that give the service little", async () => {
    const files = ["anyport.service", "anyport.socket"].map((name) => {
      const file = join(directory, name)
      writeFileSync(file, unit(name).replace("/usr/bin/node", process.execPath))
      return file
    })
    const { stderr } = await run("systemd-analyze", ["verify", ...files])
    expect(stderr).toBe("")
    const exposure = ["security", "--offline=true", "--no-pager", "--threshold=20", files[0]!]
    expect((await run("systemd-analyze", exposure)).stdout).toContain("Overall exposure level")
  })

  it("waits longer for the end than a drain takes", () => {
    const [, seconds] = /^TimeoutStopSec=(\d+)s$/m.exec(unit("anyport.service"))!
    // drain.delay and drain.timeout of the presets, for who is reset, and for what is released.
    expect(Number(seconds)).toBeGreaterThan(5 + 25 + 5 + 5)
  })
})
