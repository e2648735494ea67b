/** `anyport doctor`: what it finds on each runtime, and that it says what is lacking, what that costs and what mends it. */
import * as Effect from "effect/Effect"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import process from "node:process"
import { afterAll, describe, expect, it } from "vitest"
import type * as Address from "../../../core/Address.ts"
import { ListenError, type ListenProblem, Sockets } from "../../../core/Sockets.ts"
import { examine, format, handOver, type Report, type Subject } from "../../../ops/doctor.ts"
import { Child, type End, killAll, type Runtime, runtimes } from "./child.ts"

afterAll(killAll)

const enough = ["--allow-net=127.0.0.1,[::1]:0", "--allow-sys=osRelease"]

const command = (runtime: Runtime, flags: ReadonlyArray<string>): ReadonlyArray<string> =>
  runtime === "deno" ? ["deno", "run", "--no-prompt", "--quiet", ...flags] : [runtime]

const doctor = (
  runtime: Runtime,
  args: ReadonlyArray<string> = [],
  flags: ReadonlyArray<string> = enough,
  before: ReadonlyArray<string> = [],
): Promise<End> => new Child([...before, ...command(runtime, flags), "cli/main.ts", "doctor", ...args]).ended

/** What it says of one thing. */
const check = (report: Report, name: string): Report["checks"][number] | undefined =>
  report.checks.find((check) => check.name === name)

describe.each(runtimes)("on %s", (runtime) => {
  it("it is a table that ends with the verdict, and 0", async () => {
    const { code, stdout, stderr } = await doctor(runtime)
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    expect(stdout).toMatch(
      /^anyport \d+\.\d+\.\d+\n\nok {7}runtime +(Node|Bun|Deno) \d+\.\d+\.\d+; supported is \d+\.\d+/,
    )
    expect(stdout).toMatch(/\nok {7}IPv4 loopback +127\.0\.0\.1 can be listened on\n/)
    expect(stdout).toMatch(/\n\nA server can run here\.\n$/)
  })

  it("--json is the same for programs", async () => {
    const { code, stdout } = await doctor(runtime, ["--json"])
    const report: Report = JSON.parse(stdout)
    expect({ code, ok: report.ok }).toEqual({ code: 0, ok: true })
    expect(report.checks.slice(0, process.platform === "linux" ? 8 : 7).map(({ name }) => name)).toEqual(
      ["runtime", "system", "IPv4 loopback", "IPv6 loopback", "reusePort", "descriptors", "backlog"].concat(
        process.platform === "linux" ? ["hand-over"] : [],
      ),
    )
    expect(check(report, "system")?.found).toContain(`${process.platform} ${process.arch} `)
    for (const { state, costs } of report.checks) if (state !== "ok") expect(costs).not.toBe(undefined)
  })

  it("below its floor no server can run, and 1", async () => {
    const script = "test/conformance/floor.main.ts"
    const { code, stdout } = await new Child([...command(runtime, enough), script, "1.0.0", "doctor", "--json"]).ended
    const report: Report = JSON.parse(stdout)
    expect({ code, ok: report.ok }).toEqual({ code: 1, ok: false })
    expect(check(report, "runtime")).toMatchObject({
      state: "fails",
      found: expect.stringContaining(" 1.0.0; supported"),
    })
    expect(check(report, "IPv4 loopback")).toBe(undefined)
  })

  // Deno shows its limit to nobody who is not granted everything.
  it("a low descriptor limit is a lack, with what it carries", {
    skip: runtime === "deno" || process.platform !== "linux",
  }, async () => {
    const report: Report = JSON.parse((await doctor(runtime, ["--json"], [], ["prlimit", "--nofile=256:256"])).stdout)
    const { state, figures, remedy } = check(report, "descriptors")!
    expect({ state, ...figures }).toMatchObject({ state: "lacks", soft: 256, hard: 256 })
    expect(figures!["connections"]).toBe(256 - 16 - figures!["open"]!)
    expect(remedy).toContain("LimitNOFILE=")
    expect(check(report, "backlog")?.figures).toMatchObject({ wanted: 511, somaxconn: expect.any(Number) })
  })
})

describe.runIf(process.platform === "linux")("what becomes of who waits for a worker that closes", () => {
  // The system's own setting belongs to the machine: what it would say of another one is tried with a file in its place.
  const settings: ReadonlyArray<readonly [string, string | undefined, Partial<Report["checks"][number]>]> = [
    ["1", "1\n", { state: "ok" }],
    ["0", "0\n", { state: "lacks", remedy: expect.stringContaining("sysctl -w net.ipv4.tcp_migrate_req=1") }],
    ["not there, as before Linux 5.14", undefined, { state: "lacks", found: expect.stringContaining("5.14") }],
  ]
  it.each(settings)("tcp_migrate_req is %s", (_, content, expected) => {
    const file = join(mkdtempSync(join(tmpdir(), "anyport-doctor-")), "tcp_migrate_req")
    if (content !== undefined) writeFileSync(file, content)
    expect(handOver(file)).toMatchObject({ name: "hand-over", ...expected })
    rmSync(dirname(file), { recursive: true })
  })

  it.each(["node", "bun"] as const)("%s reads the system's", async (runtime) => {
    const report: Report = JSON.parse((await doctor(runtime, ["--json"])).stdout)
    const state = { "1": "ok", "0": "lacks" }[readFileSync("/proc/sys/net/ipv4/tcp_migrate_req", "latin1").trim()]
    expect(check(report, "hand-over")?.state).toBe(state)
  })
})

describe("on deno", () => {
  it("with no permission it says what it cannot see and which flag would show it, and 1", async () => {
    const { code, stdout } = await doctor("deno", ["--json"], [])
    const report: Report = JSON.parse(stdout)
    const found = Object.fromEntries(
      report.checks.map(({ name, state, remedy }) => [name, `${state}: ${remedy ?? ""}`]),
    )
    expect(code).toBe(1)
    expect(found).toMatchObject({
      "IPv4 loopback": "fails: run deno with --allow-net=127.0.0.1:0",
      "IPv6 loopback": "unknown: run deno with --allow-net=[::1]:0",
      "reusePort": "lacks: run deno with --unstable-net",
      "descriptors": expect.stringMatching(/^unknown: .*ulimit -n/),
      "backlog": expect.stringMatching(/^unknown: .*somaxconn/),
      ...process.platform === "linux" ? { "hand-over": expect.stringMatching(/^unknown: .*tcp_migrate_req/) } : {},
      "permission net": "lacks: ",
      "permission read": "lacks: ",
      "permission write": "lacks: ",
      "permission env": "lacks: ",
      "permission sys": "lacks: ",
    })
  })

  it("what is granted is used, and no more", async () => {
    const flags = ["--unstable-net", "--allow-net=127.0.0.1:0", "--allow-env"]
    const { code, stdout } = await doctor("deno", ["--json"], flags)
    const report: Report = JSON.parse(stdout)
    expect(code).toBe(0)
    expect(check(report, "IPv4 loopback")?.state).toBe("ok")
    expect(check(report, "reusePort")).toMatchObject({
      state: "unknown",
      remedy: "run deno with --allow-net=127.0.0.1",
    })
    expect(check(report, "permission env")?.state).toBe("ok")
    const more = await doctor("deno", ["--json"], ["--unstable-net", "--allow-net=127.0.0.1"])
    expect(check(JSON.parse(more.stdout), "reusePort")?.state).toBe(process.platform === "linux" ? "ok" : "lacks")
  })
})

describe("sockets that cannot", () => {
  const subject: Subject = {
    anyport: "1.0.0",
    runtime: { name: "Node", version: "30.0.0", floor: { version: "22.0.0", reason: "it is old" }, supported: true },
  }
  const failing = (problem: (address: Address.Address) => ListenProblem | undefined, reusePort = true) =>
    Effect.runPromise(Effect.provideService(examine(subject), Sockets, {
      capabilities: {
        runtime: "node 30.0.0",
        reset: true,
        reusePort,
        stopAccepting: "unbind",
        adoptDescriptor: false,
        abstractUnix: true,
        bindSource: false,
      },
      listen: ({ address }) => {
        const found = problem(address)
        return found === undefined
          ? Effect.succeed({ address, pause: () => {}, resume: Effect.void, close: Effect.void })
          : Effect.fail(new ListenError({ problem: found, address }))
      },
      connect: () => Effect.never,
    }))

  it("no IPv4 loopback: no server can run", async () => {
    const report = await failing(() => "PermissionDenied")
    expect(report.ok).toBe(false)
    expect(check(report, "IPv4 loopback")).toMatchObject({
      state: "fails",
      found: "Cannot listen on 127.0.0.1:0: permission denied; grant it, or choose another address",
    })
    expect(format(report)).toMatch(/\n\nNo server can run here\.\n$/)
  })

  it("no IPv6: a server can run", async () => {
    const report = await failing((address) =>
      address._tag === "Tcp" && address.host === "::1" ? "AddressUnavailable" : undefined
    )
    expect(report.ok).toBe(true)
    expect(check(report, "IPv6 loopback")).toMatchObject({ state: "lacks", found: expect.stringContaining("no such") })
  })

  it("no port that is shared: a server can run", async () => {
    const report = await failing(() => undefined, false)
    expect(report.ok).toBe(true)
    expect(check(report, "reusePort")).toMatchObject({ state: "lacks", costs: expect.stringContaining("one process") })
    expect(check(report, "reusePort")?.costs).toContain("cluster")
  })

  it("the table says what a lack costs and what mends it, below what was found", () => {
    const checks = [
      { name: "one", state: "ok", found: "yes" },
      { name: "another", state: "lacks", found: "no", costs: "a little", remedy: "some" },
    ] as const
    expect(format({ anyport: "1.0.0", ok: true, checks })).toBe([
      "anyport 1.0.0",
      "",
      "ok       one      yes",
      "lacks    another  no",
      "                  costs:  a little",
      "                  remedy: some",
      "",
      "A server can run here.",
      "",
    ].join("\n"))
  })
})
