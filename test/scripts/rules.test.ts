/** The gate's own rules: each goes red on what it forbids and stays green on what it allows. */
import { describe, expect, it } from "vitest"
import { entries } from "../../scripts/rules/entries.ts"
import { imports, importsOf } from "../../scripts/rules/imports.ts"
import { permissions } from "../../scripts/rules/permissions.ts"
import { places } from "../../scripts/rules/places.ts"
import { ambient, barrel } from "../../scripts/rules/shipped.ts"
import { codeOnly } from "../../scripts/rules/Source.ts"

const exported = { ".": "./core/index.ts", "./node": "./adapters/node.ts" }

describe("imports", () => {
  it("finds every form, with its kind and line, and none in comments", () => {
    const text = [
      'import * as A from "a"',
      'import type { B } from "b"',
      "import {",
      "  type C,",
      '} from "c"',
      'export * from "d"',
      'import "e"',
      'const f = await import("f")',
      '// const g = await import("g")',
      '/*\nexport * from "h"\n*/',
      'const text = "import"',
    ].join("\n")
    expect(importsOf(text).map(({ specifier, kind, line }) => `${specifier} ${kind} ${line}`)).toEqual(
      ["a static 1", "b type 2", "c static 5", "d static 6", "e static 7", "f dynamic 8"],
    )
  })

  it.each([
    ["core/Outbox.ts", 'import { x } from "./Connection.ts"'],
    ["core/codecs/Lines.ts", 'import type { x } from "../Sockets.ts"'],
    ["core/Server.ts", 'export * from "./index.ts"'],
    ["core/Server.ts", 'import { x } from "node:net"'],
    ["core/Server.ts", 'import { x } from "../adapters/memory.ts"'],
    ["adapters/node.ts", 'import { x } from "./bun.ts"'],
    ["adapters/node.ts", 'import { x } from "../core/Outbox.ts"'],
    ["adapters/deno.ts", 'import { x } from "bun"'],
    ["adapters/memory.ts", 'import { x } from "node:net"'],
    ["adapters/tls.ts", 'import { x } from "./node.ts"'],
    ["adapters/auto.ts", 'import { x } from "./node.ts"'],
    ["services/echo.ts", 'import { x } from "anyport/node"'],
    ["services/echo.ts", 'import { x } from "../cli/main.ts"'],
    ["ops/logs.ts", 'import type { x } from "../core/Connection.ts"'],
    ["testing/sim.ts", 'import { x } from "../adapters/node.ts"'],
    ["cli/main.ts", 'import { x } from "../scripts/child.ts"'],
  ])("refuses in %s: %s", (path, text) => {
    expect(imports([{ path, text }], exported)).toMatchObject([{ path, line: 1 }])
  })

  it.each([
    ["core/Server.ts", 'import { x } from "./codecs/Lines.ts"'],
    ["core/Server.ts", 'import * as Effect from "effect/Effect"'],
    ["adapters/bun.ts", 'import { x } from "bun"'],
    ["adapters/node.ts", 'import { x } from "./tls.ts"'],
    ["adapters/node.ts", 'import { x } from "../core/Sockets.ts"'],
    ["adapters/auto.ts", 'const x = await import("./node.ts")'],
    ["services/echo.ts", 'import { x } from "anyport"'],
    ["ops/logs.ts", 'import type { x } from "../core/Event.ts"'],
    ["testing/sim.ts", 'import { x } from "../adapters/memory.ts"'],
    ["cli/main.ts", 'const x = await import("../adapters/auto.ts")'],
    ["test/core/Server.test.ts", 'import { x } from "../../core/Connection.ts"'],
  ])("allows in %s: %s", (path, text) => {
    expect(imports([{ path, text }], exported)).toEqual([])
  })
})

describe("shipped", () => {
  it("refuses Effect's barrel where code ships", () => {
    const text = '\nimport { Effect } from "effect"'
    expect(barrel([{ path: "cli/main.ts", text }])).toMatchObject([{ line: 2 }])
    expect(barrel([{ path: "test/core/x.test.ts", text }])).toEqual([])
  })

  it.each([
    "const now = Date.now()",
    "const now = performance.now()",
    "process.exit(1)",
    "const x = `${Math.random()}`",
    "Buffer.from([])",
    "console.log(1)",
    "setTimeout(f, 1)",
    "queueMicrotask(f)",
    "Deno.exit()",
    "Bun.sleep(1)",
  ])("refuses ambient names in core: %s", (text) => {
    expect(ambient([{ path: "core/x.ts", text }])).toHaveLength(1)
    expect(ambient([{ path: "adapters/x.ts", text }])).toEqual([])
  })

  it("reads neither comments, strings, regular expressions nor longer names as ambient", () => {
    const text =
      '// Date.now()\n/** Buffer */\nconst a = "console.log"\nconst b = /process.x/\nByteBuffer.make(x.console.y)'
    expect(ambient([{ path: "core/x.ts", text }])).toEqual([])
  })

  it("is not led astray by quotes in regular expressions and comment marks in strings", () => {
    const text = "const a = /[\"'/]/g\nconst b = 'http://x' // 'gone\nkept()"
    const code = codeOnly(text)
    expect(code.length).toBe(text.length)
    expect(code).toContain("kept()")
    expect(code).not.toContain("gone")
  })
})

describe("entries", () => {
  const npm = { name: "anyport", version: "1.0.0", license: "MIT", exports: exported }
  const deno = {
    ...npm,
    name: "@anyport/anyport",
    imports: { anyport: "./core/index.ts", "anyport/node": "./adapters/node.ts" },
  }
  const found = (first: object, second: object): ReadonlyArray<string> =>
    entries([
      { path: "package.json", text: JSON.stringify(first) },
      { path: "deno.json", text: JSON.stringify(second) },
      { path: "core/index.ts", text: "" },
      { path: "adapters/node.ts", text: "" },
      { path: "cli/version.ts", text: 'export const version: string = "1.0.0"' },
    ]).map(({ message }) => /"([^"]+)"/.exec(message)![1]!)

  it("is satisfied by equal manifests", () => {
    expect(found(npm, deno)).toEqual([])
  })

  it("names what differs, is missing or has no file", () => {
    expect(found(npm, { ...deno, version: "1.0.1" })).toEqual(["version"])
    expect(found({ ...npm, version: "1.0.1" }, { ...deno, version: "1.0.1" })).toEqual(["version"])
    expect(found(npm, { ...deno, name: "anyport" })).toEqual(["name"])
    expect(found(npm, { ...deno, exports: { ".": "./core/index.ts" } })).toEqual(["./node"])
    expect(found(npm, { ...deno, exports: { ...exported, "./x": "./x.ts" } })).toEqual(["./x"])
    expect(found(npm, { ...deno, imports: { anyport: "./core/index.ts" } })).toEqual(["anyport/node"])
    expect(found({ ...npm, bin: { anyport: "./cli/main.ts" } }, deno)).toEqual(["anyport"])
  })
})

describe("places", () => {
  const found = (text: string, path = "README.md"): number => places([{ path, text }], "/srv/clone").length

  it("refuses package hosts and paths of a machine", () => {
    expect(found("https://" + "registry.example.org/x")).toBe(1)
    expect(found("x\nregistry" + "=http://10.0.0.1", ".npmrc")).toBe(1)
    expect(found("cd /" + "home/someone/anyport")).toBe(1)
    expect(found("cd /srv/clone/core")).toBe(1)
    expect(found('"resolved"' + ': "x"', "package-lock.json")).toBe(1)
  })

  it("allows links and paths that every machine has", () => {
    expect(found("https://example.org/home/x and /run/anyport.sock and ~/x and /srv/clones")).toBe(0)
  })
})

describe("permissions", () => {
  const found = (text: string): ReadonlyArray<number> =>
    permissions([{ path: "README.md", text }]).map(({ line }) => line)
  const [long, short] = ["--allow-" + "all", "-" + "A"]

  it("refuses Deno with all permissions, however it is written", () => {
    expect(found(`x\ndeno run ${long} main.ts`)).toEqual([2])
    expect(found(`deno run ${short} main.ts`)).toEqual([1])
    expect(found(`npx deno run -q${short.slice(1)} main.ts`)).toEqual([1])
    expect(found(`#!/usr/bin/env -S deno run ${short}`)).toEqual([1])
    expect(found(`{ "start": "deno run ${short} main.ts" }`)).toEqual([1])
    expect(found(`CMD ["deno", "run", "${short}", "main.ts"]`)).toEqual([1])
    expect(found(`const command = [\n  "deno",\n  "run",\n  "${short}",\n]`)).toEqual([4])
    expect(found(`deno run --no-prompt \\\n  ${short} main.ts`)).toEqual([2])
    expect(found(`deno("${long}")`)).toEqual([1])
    expect(found(`"deno", "run", // why\n"${long}"`)).toEqual([2])
  })

  it("allows permissions by name, and the same letter for other programs", () => {
    expect(found("deno run --no-prompt --allow-net=127.0.0.1:9000 main.ts A")).toEqual([])
    expect(found(`deno test -q main.ts\ngrep ${short} 3 deno.json`)).toEqual([])
    expect(found(`deno fmt && git add ${short}`)).toEqual([])
    expect(found(`deno run ${long}ocated ${short}-x`)).toEqual([])
  })
})
