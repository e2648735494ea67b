/**
 * What `docs/operations.md` says is so: its TypeScript runs as it stands, on every runtime; `deploy/kubernetes.yaml` is
 * YAML, starts a server, and its numbers fit the preset; and what the page shows of it stands there.
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { resolve } from "../../core/Settings.ts"
import { Child, killAll, root, type Runtime, runtimes } from "./wire/child.ts"
import { connect, disconnectAll } from "./wire/client.ts"
import { ask } from "./wire/http.ts"

const read = (path: string): string => readFileSync(join(root, path), "utf8")
const page = read("docs/operations.md")

/** What `ops/serve.ts` gives to what has to be released. */
const releaseMillis = 5_000

const blocks = new Map(
  [...page.matchAll(/^```ts(?: title="([\w.]+)")?\n([\s\S]*?)^```/gm)].map((match) => [match[1] ?? "", match[2]!]),
)

// Inside the repository, where "anyport" means this package.
let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(root, "test/conformance/readme-operations-"))
  for (const [name, text] of blocks) if (name !== "") writeFileSync(join(folder, name), text)
})
afterAll(async () => {
  disconnectAll()
  await killAll()
  rmSync(folder, { recursive: true, force: true })
})

const program = (runtime: Runtime, script: string): Child =>
  new Child(
    runtime === "deno" ? ["deno", "run", "--no-prompt", "--quiet", "--allow-net=127.0.0.1", script] : [runtime, script],
  )

describe.each(runtimes)("steps of a drain on %s", (runtime) => {
  it("deregister before the last connection ends, and save behind it", async () => {
    const seen: Array<string> = []
    const registry = createServer((request, response) => {
      seen.push(`${request.method} ${request.url}`)
      response.end()
    }).listen(0, "127.0.0.1")
    await new Promise((resolve) => registry.once("listening", resolve))
    const { port } = registry.address() as AddressInfo // it is of TCP
    const text = blocks.get("registered.ts")!
    expect(text).toContain(":8500/")
    writeFileSync(join(folder, `${runtime}-registered.ts`), text.replace(":8500/", `:${port}/`))
    const child = program(runtime, join(folder, `${runtime}-registered.ts`))
    const client = await connect(Number(await child.line("stdout", (line) => /^127\.0\.0\.1:(\d+)$/.exec(line)?.[1])))
    expect([await client.ask("a"), await client.ask("b"), await client.ask("a")]).toEqual(["a: 1", "b: 1", "a: 2"])
    child.signal("SIGTERM")
    expect(await client.line()).toBe("goodbye")
    expect(seen).toEqual(["PUT /v1/agent/service/deregister/counts"])
    client.finish()
    const { code, stdout } = await child.ended
    expect({ code, lines: stdout.trim().split("\n").slice(1) }).toEqual({
      code: 0,
      lines: ['[["a",2],["b",1]]', "announced: deregister done", "ended: save done"],
    })
    registry.close()
    registry.closeAllConnections()
  })
})

describe("docs/operations.md", () => {
  it("every block of TypeScript has a name and is run", () => {
    expect([...blocks.keys()]).toEqual(["registered.ts"])
  })

  it("every block type-checks as strictly as this repository", () => {
    const options = { extends: "../../../tsconfig.json", files: [...blocks.keys(), "../../../core/ambient.d.ts"] }
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(options))
    const { status, stdout } = spawnSync("tsc", ["-p", folder], { encoding: "utf8" })
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" })
  })

  it("shows of deploy/kubernetes.yaml what stands there", () => {
    const lines = read("deploy/kubernetes.yaml").split("\n").map((line) => line.replace(/ +#.*/, "").trim())
    const shown = [...page.matchAll(/^```yaml\n([\s\S]*?)^```/gm)].flatMap(([, text]) => text!.trim().split("\n"))
    expect(shown.length).toBeGreaterThan(0)
    expect(shown.map((line) => line.trim()).filter((line) => !lines.includes(line))).toEqual([])
  })
})

const words = page.replace(/\s+/g, " ")

describe("docs/operations.md", () => {
  it.each(
    [
      ["until nobody came for 50 ms", "core/Drain.ts", "napMillis = 10"],
      ["until nobody came for 50 ms", "core/Drain.ts", "quietNaps = 5"],
      ["50 ms, at most 1 s", "core/Drain.ts", "longestClosing = 1_000"],
      ["a second more, to close first", "core/Drain.ts", "courtesyMillis = 1_000"],
      ["each for 5 s, unless it says otherwise", "core/Server.ts", 'timeout = "5 seconds"'],
      ["delay + timeout + 10 s", "ops/serve.ts", "releaseMillis = 5_000"],
      ["up to 511 of them", "adapters/deno.ts", "tcpBacklog: 511"],
      ["an `AcceptFailed` a second", "core/Gate.ts", "retryMillis = 1_000"],
    ] satisfies ReadonlyArray<[said: string, file: string, code: string]>,
  )("says as the code does: %s", (said, file, code) => {
    expect(words.includes(said), `the page says: ${said}`).toBe(true)
    expect(read(file).includes(code), `${file} has: ${code}`).toBe(true)
  })

  it("has the longest time that a drain takes with each preset", () => {
    const [, local, other] = /\*\*delay \+ timeout \+ 10 s\*\*: (\d+) s, or (\d+) s/.exec(words)!
    for (
      const [preset, seconds] of [["local", local], ["internet", other], ["internal", other], ["edge", other]] as const
    ) {
      const { drain, deadlines } = resolve({ preset }, preset === "local")
      expect(drain.delay + drain.timeout + deadlines.close + releaseMillis, preset).toBe(Number(seconds) * 1_000)
    }
  })
})

// Of a manifest, what is looked at here.
interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string }
  readonly periodSeconds: number
  readonly failureThreshold: number
}

interface Deployment {
  readonly kind: "Deployment"
  readonly spec: {
    readonly selector: { readonly matchLabels: Record<string, string> }
    readonly template: {
      readonly metadata: { readonly labels: Record<string, string> }
      readonly spec: {
        readonly terminationGracePeriodSeconds: number
        readonly securityContext: { readonly runAsNonRoot: boolean }
        readonly containers: readonly [{
          readonly args: ReadonlyArray<string>
          readonly ports: ReadonlyArray<{ readonly name: string; readonly containerPort: number }>
          readonly readinessProbe: Probe
          readonly livenessProbe: Probe
          readonly resources: { readonly limits: { readonly memory: string; readonly cpu?: string } }
          readonly securityContext: Record<string, unknown>
        }]
      }
    }
  }
}

interface Service {
  readonly kind: "Service"
  readonly spec: {
    readonly selector: Record<string, string>
    readonly ports: ReadonlyArray<{ readonly targetPort: string }>
  }
}

/** Bun has a parser. */
const parse = (path: string): unknown => {
  const script = "console.log(JSON.stringify(Bun.YAML.parse(await Bun.stdin.text())))"
  const { status, stdout, stderr } = spawnSync("bun", ["-e", script], { input: read(path), encoding: "utf8" })
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" })
  return JSON.parse(stdout)
}

describe("deploy/kubernetes.yaml", () => {
  const [deployment, service] = parse("deploy/kubernetes.yaml") as readonly [Deployment, Service] // its kinds are looked at
  const { template, selector } = deployment.spec
  const pod = template.spec
  const [container] = pod.containers
  const preset = resolve({ preset: "behind-proxy", proxy: { trusted: ["10.0.0.0/8"] } }, false)
  const portOf = (name: string): number | undefined => container.ports.find((port) => port.name === name)?.containerPort
  const argument = (name: string): string | undefined =>
    container.args.find((argument) => argument.startsWith(`--${name}=`))?.slice(name.length + 3)

  it("names the same things by the same names", () => {
    expect([deployment.kind, service.kind]).toEqual(["Deployment", "Service"])
    expect([template.metadata.labels, service.spec.selector]).toEqual([selector.matchLabels, selector.matchLabels])
    expect(service.spec.ports.map(({ targetPort }) => targetPort)).toEqual(["tcp"])
    expect(String(portOf("tcp"))).toBe(argument("port"))
    expect(`[::]:${portOf("admin")}`).toBe(argument("admin"))
    expect(argument("preset")).toBe("behind-proxy")
    for (const { httpGet } of [container.readinessProbe, container.livenessProbe]) {
      expect(portOf(httpGet.port)).toBe(portOf("admin"))
    }
  })

  it("gives a drain its time, and probes notice one before it stops accepting", () => {
    const { drain, deadlines } = preset
    expect(pod.terminationGracePeriodSeconds * 1_000)
      .toBeGreaterThan(drain.delay + drain.timeout + deadlines.close + releaseMillis)
    const { periodSeconds, failureThreshold } = container.readinessProbe
    expect(periodSeconds * failureThreshold * 1_000).toBeLessThan(drain.delay)
    expect(container.livenessProbe.periodSeconds * container.livenessProbe.failureThreshold).toBeGreaterThan(10)
  })

  it("gives it memory and few rights", () => {
    const [, memory] = /^(\d+)Mi$/.exec(container.resources.limits.memory)!
    expect(Number(memory) * 1_048_576).toBeGreaterThan(2 * preset.limits.memory)
    expect(container.resources.limits.cpu).toBeUndefined()
    expect(pod.securityContext.runAsNonRoot).toBe(true)
    expect(container.securityContext).toEqual({
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
    })
  })

  it("starts a server that answers its probes", async () => {
    const args = container.args.map((argument) =>
      argument.replace("--host=::", "--host=127.0.0.1").replace(/--port=\d+/, "--port=0")
        .replace(/--admin=.*/, "--admin=127.0.0.1:0")
    )
    const child = new Child(["node", "cli/main.ts", ...args])
    const listens = (message: string): Promise<number> =>
      child.line("stderr", (line) => {
        const record = JSON.parse(line)
        return record.message === message ? Number(record.address.split(":")[1]) : undefined
      })
    const port = await listens("admin listening")
    await listens("listening")
    for (const { httpGet } of [container.readinessProbe, container.livenessProbe]) {
      expect((await ask({ port }, httpGet.path)).status, httpGet.path).toBe(200)
    }
    await child.kill()
  })
})
