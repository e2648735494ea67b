/**
 * What a user takes home: the packed tarball in a project of their own, the one file in an empty folder, and a service
 * that `anyport build` made one file of. On every runtime, outside the repository.
 */
import { spawnSync } from "node:child_process"
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { Child, killAll, root, type Runtime, runtimes } from "./wire/child.ts"
import { connect, disconnectAll } from "./wire/client.ts"

const home = mkdtempSync(join(tmpdir(), "anyport-home-"))
const built = join(home, "built")
afterEach(async () => {
  disconnectAll()
  await killAll()
})
afterAll(() => rmSync(home, { recursive: true, force: true }))

/** Runs a program to its end, which has to be a good one. */
const done = (cwd: string, command: string, ...args: ReadonlyArray<string>): string => {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8" })
  if (status !== 0) throw error ?? new Error(`${command} ${args.join(" ")} ended with ${status}: ${stdout}${stderr}`)
  return stdout
}

beforeAll(() => {
  done(root, "node", "scripts/build.ts", built)
}, 60_000)

/** Asks a server that a command starts on a free port for one line. */
const answer = async (cwd: string, command: ReadonlyArray<string>, line: string): Promise<string> => {
  const child = new Child(command, { cwd })
  const address = await child.line("stderr", (text) => /"listening","address":"[^"]*:(\d+)"/.exec(text)?.[1])
  return (await connect(Number(address))).ask(line)
}

/** How Deno runs what needs nothing but its address: no module of another place, no configuration, no question. */
const sealed = ["run", "--no-prompt", "--no-remote", "--no-npm", "--no-config", "--allow-net=127.0.0.1"]

const readme = readFileSync(join(root, "README.md"), "utf8")
const blocks = [...readme.matchAll(/```ts title="([\w.]+)"\n([\s\S]*?)```/g)]

describe("the tarball in a project of its own", () => {
  const project = join(home, "project")

  beforeAll(() => {
    mkdirSync(project)
    const [tarball] = JSON.parse(done(home, "npm", "pack", join(built, "package"), "--json")) as [{ filename: string }]
    writeFileSync(join(project, "package.json"), JSON.stringify({ name: "mine", private: true, type: "module" }))
    done(project, "npm", "install", join(home, tarball.filename), "--no-audit", "--no-fund", "--prefer-offline")
    for (const [, name, text] of blocks) writeFileSync(join(project, name!), text!)
  }, 120_000)

  it("holds modules with their types and nothing of the repository's own", () => {
    const files = readdirSync(join(project, "node_modules/anyport"), { recursive: true, encoding: "utf8" })
    const modules = files.filter((name) => name.endsWith(".js"))
    expect(modules).toContain("core/index.js")
    expect(modules.filter((name) => !files.includes(name.replace(/\.js$/, ".d.ts")))).toEqual([])
    expect(files.filter((name) => /(^|[^d])\.ts$/.test(name.replace(/\.d\.ts$/, "")))).toEqual([])
    expect(files).toEqual(expect.arrayContaining(["README.md", "CHANGELOG.md", "LICENSE", "package.json"]))
    expect(files.filter((name) => /^(test|scripts|docs|dist|node_modules)\b/.test(name))).toEqual([])
  })

  it("type-checks what the README shows, as a strict project", () => {
    const options = {
      target: "ES2023",
      lib: ["ES2023", "DOM"],
      module: "NodeNext",
      types: ["node"], // as a program on Node has, which README's are
      strict: true,
      noEmit: true,
      allowImportingTsExtensions: true, // modules that a runtime runs as they are
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
    }
    const entries = Object.keys(JSON.parse(readFileSync(join(root, "package.json"), "utf8")).exports)
    const imports = entries.filter((entry) => !entry.endsWith(".json")).map((entry) =>
      `import * as ${entry.replace(/\W/g, "_")} from "anyport${entry.slice(1)}"`
    )
    writeFileSync(join(project, "entries.ts"), `${imports.join("\n")}\nvoid [${entries.map(() => 0)}]\n`)
    const check = (compilerOptions: object, include: ReadonlyArray<string>) => {
      writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, include }))
      done(project, join(root, "node_modules/.bin/tsc"), "-p", ".")
    }
    check(options, blocks.map(([, name]) => name!))
    check({ ...options, types: [] }, ["entries.ts"])
  }, 60_000)

  const serve: Record<Runtime, ReadonlyArray<string>> = {
    node: ["node", "node_modules/.bin/anyport"],
    bun: ["bun", "node_modules/anyport/cli/main.js"],
    deno: [
      "deno",
      ...sealed.filter((flag) => !/npm|config/.test(flag)),
      "--allow-read=.",
      "node_modules/anyport/cli/main.js",
    ],
  }
  it.each(runtimes)("serves the README's service on %s", async (runtime) => {
    expect(await answer(project, [...serve[runtime], "serve", "./echo.ts", "--port", "0"], "hello")).toBe("echo: hello")
  })

  it("is found by require as well", () => {
    const script =
      'const { Lines, Service } = require("anyport"); console.log(Service.isService(Service.plain(Lines.make({ maxLength: 9 }), String)))'
    expect(done(project, "node", "-e", script)).toBe("true\n")
  })

  it("passes publint", () => {
    done(root, "publint", "--strict", join(built, "package"))
  }, 60_000)
})

describe("on JSR", () => {
  const publish = (...flags: ReadonlyArray<string>) => {
    const { status, stderr } = spawnSync("deno", ["publish", "--dry-run", "--allow-dirty", ...flags], {
      cwd: root,
      encoding: "utf8",
      env: { ...process.env, NO_COLOR: "1" },
    })
    const findings = [...stderr.matchAll(/(?:warning|error)\[(\S+)\][\s\S]*?--> \S*?\/((?:core|load|cli)\/\S+?):/g)]
    return { status, stderr, found: findings.map(([, rule, at]) => `${at} ${rule}`) }
  }
  // One looks for esbuild only when it builds, the other is the user's own module.
  const imports = ["cli/bundle.ts unanalyzable-dynamic-import", "cli/module.ts unanalyzable-dynamic-import"]

  it("could be published", () => {
    const { status, stderr, found } = publish("--allow-slow-types")
    expect({ status, found }, stderr).toEqual({ status: 0, found: imports })
    expect(stderr).toContain("Success Dry run complete")
  }, 60_000)

  it("has no slow types but the classes of typed errors and of the port's service, and the schemas of a result", () => {
    const classes = [
      "core/Authentication.ts",
      "core/Directory.ts",
      ...Array(2).fill("core/Replies.ts"),
      ...Array(3).fill("core/Sockets.ts"),
      "core/Transfer.ts",
      ...Array(4).fill("core/client/Errors.ts"),
    ]
    // Each is a type, a decoder and the published schema in one.
    const schemas = [
      "load/Distribution.ts",
      "load/Interval.ts",
      ...Array(5).fill("load/Result.ts"),
    ]
    expect(publish().found).toEqual([
      ...schemas.map((file) => `${file} missing-explicit-type`),
      ...imports,
      ...classes.map((file) => `${file} unsupported-super-class-expr`),
    ])
  }, 60_000)
})

/** How each runtime runs one file; nothing else is there for it. */
const alone: Record<Runtime, ReadonlyArray<string>> = { node: ["node"], bun: ["bun"], deno: ["deno", ...sealed] }

describe("a clone without development dependencies", () => {
  const clone = join(home, "clone")
  beforeAll(() => {
    mkdirSync(clone)
    const parts = [
      "core",
      "adapters",
      "services",
      "load",
      "ops",
      "cli",
      "package.json",
      "package-lock.json",
      "deno.json",
      ".npmrc",
    ]
    for (const part of parts) cpSync(join(root, part), join(clone, part), { recursive: true })
    done(clone, "npm", "ci", "--omit=dev", "--no-audit", "--no-fund", "--prefer-offline")
  }, 120_000)

  const serve: Record<Runtime, ReadonlyArray<string>> = {
    node: ["node"],
    bun: ["bun"],
    deno: ["deno", "run", "--no-prompt", "--allow-net=127.0.0.1"],
  }
  it.each(runtimes)("serves on %s from its sources", async (runtime) => {
    expect(await answer(clone, [...serve[runtime], "cli/main.ts", "serve", "--port", "0"], "hello")).toBe("echo: hello")
  })
})

describe("the one file in an empty folder", () => {
  const empty = join(home, "empty")
  beforeAll(() => {
    mkdirSync(empty)
    copyFileSync(join(built, "anyport.mjs"), join(empty, "anyport.mjs"))
  })

  it.each(runtimes)("serves echo on %s", async (runtime) => {
    const command = [...alone[runtime], "anyport.mjs", "serve", "--port", "0"]
    expect(await answer(empty, command, "hello")).toBe("echo: hello")
    expect(readdirSync(empty)).toEqual(["anyport.mjs"])
  })

  it.each(runtimes)("knows its version and names an unknown flag on %s", async (runtime) => {
    const version = await new Child([...alone[runtime], "anyport.mjs", "--version"], { cwd: empty }).ended
    expect(version).toEqual({ code: 0, stdout: expect.stringMatching(/^anyport v\d+\.\d+\.\d+\n$/), stderr: "" })
    const wrong = await new Child([...alone[runtime], "anyport.mjs", "serve", "--prot", "1"], { cwd: empty }).ended
    expect(wrong).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("--prot") })
  })

  it("is ASCII, which each runtime reads the fastest", () => {
    expect(readFileSync(join(empty, "anyport.mjs"), "utf8").match(/[^\0-\x7f]+/g)).toEqual(null)
  })

  it("serves a module of a project that has an Effect of its own", async () => {
    const command = ["node", join(empty, "anyport.mjs"), "serve", "./echo.ts", "--port", "0"]
    expect(await answer(join(home, "project"), command, "hello")).toBe("echo: hello")
  })

  it("says what it takes to build another file", async () => {
    writeFileSync(join(home, "x.ts"), "")
    const { code, stderr } = await new Child(["node", "empty/anyport.mjs", "build", "./x.ts"], { cwd: home }).ended
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr:
        "anyport: Cannot build with the one file; run `npm install anyport effect esbuild`, then `npx anyport build`\n",
    })
  })
})

describe("anyport build", () => {
  const folder = join(home, "services")
  const build = (...args: ReadonlyArray<string>) =>
    new Child(["node", join(root, "cli/main.ts"), "build", ...args], { cwd: folder }).ended

  beforeAll(() => {
    mkdirSync(folder)
    // Outside any project, with a module and a package in CommonJS of its own.
    mkdirSync(join(folder, "node_modules/shout"), { recursive: true })
    const common = 'const { EOL } = require("os"); exports.shout = (text) => text.toUpperCase() + EOL.trim()'
    writeFileSync(join(folder, "node_modules/shout/index.js"), common)
    writeFileSync(join(folder, "greet.ts"), "export const greet = (name: string): string => `hello ${name}`\n")
    writeFileSync(
      join(folder, "svc.ts"),
      `import * as Effect from "effect/Effect"
import { Lines, Service } from "anyport"
import { shout } from "shout"
import { greet } from "./greet.ts"
export default Service.respond(Lines.make({ maxLength: 100 }), (line) => Effect.succeed(shout(greet(line))))
`,
    )
    writeFileSync(join(folder, "nothing.ts"), "export const x = 1\n")
    writeFileSync(join(folder, "broken.ts"), "export default = 1\n")
  })

  it("makes one file of a service, which runs on all three runtimes as it says", async () => {
    const { code, stdout, stderr } = await build("./svc.ts", "-o", "out/server.mjs")
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    const alone = join(home, "alone")
    mkdirSync(alone)
    copyFileSync(join(folder, "out/server.mjs"), join(alone, "server.mjs"))
    for (const runtime of runtimes) {
      const said = stdout.split("\n").map((line) => line.trim()).find((line) => line.startsWith(`${runtime} `))!
      const command = said.replace("out/server.mjs", "server.mjs").replace(":9000", "").split(" ")
      expect(await answer(alone, [...command, "--port", "0"], "bob")).toBe("HELLO BOB")
    }
    const help = await new Child(["node", "server.mjs", "--help"], { cwd: alone }).ended
    expect(help.stdout).toContain("server [flags]")
    expect(help.stdout).toContain("--max-connections")
  }, 60_000)

  it("makes a file that bun compiles to an executable", async () => {
    done(folder, "bun", "build", "--compile", "out/server.mjs", "--outfile", "out/server")
    expect(await answer(home, [join(folder, "out/server"), "--port", "0"], "bob")).toBe("HELLO BOB")
  }, 60_000)

  it("names the file after the module, and says at its start when that exports no service", async () => {
    expect((await build("./nothing.ts")).code).toBe(0)
    const { code, stderr } = await new Child(["node", "nothing.mjs"], { cwd: folder }).ended
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: "nothing: Cannot load the service nothing: its default export is missing, wanted is what " +
        "Service.respond, Service.session or Service.plain returns\n",
    })
  })

  it("names what Deno has to allow for it, before anything asks", async () => {
    const main = join(root, "cli/main.ts")
    const { code, stderr } = await new Child(["deno", "run", "--no-prompt", main, "build", "./svc.ts"]).ended
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr:
        "anyport: Cannot build here: run deno with --allow-read --allow-write --allow-env --allow-run, or build " +
        "with Node or Bun; the file runs on all three\n",
    })
  })

  it.each([
    [["./none.ts"], "there is no file"],
    [["."], "is not a file"],
    [["./broken.ts"], "broken.ts:1:"],
    [["./svc.ts", "-o", "svc.ts"], "is the module itself"],
    [[], "Missing required argument"],
  ])("refuses %j with one line", async (args, says) => {
    const { code, stdout, stderr } = await build(...args)
    expect({ code, stdout, lines: stderr.split("\n").length }).toEqual({ code: 2, stdout: "", lines: 2 })
    expect(stderr).toContain(says)
  })
})
