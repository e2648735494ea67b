/**
 * What is published, in `dist/`: `package/`, a .js and a .d.ts for each module with the manifest that points at them,
 * and `anyport.mjs`, the server and its command line in one file.
 *
 * ```
 * npm run build [FOLDER]       dist, unless another is given
 * npm pack ./dist/package      the tarball
 * node dist/anyport.mjs serve
 * ```
 */
import { spawnSync } from "node:child_process"
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import { bundle } from "../cli/bundle.ts"
import { root } from "./child.ts"

const source = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
const output = resolve(root, process.argv[2] ?? "dist")
const folder = join(output, "package")

/** The file that a module becomes. */
const compiled = (path: string, extension: ".js" | ".d.ts"): string => path.replace(/\.ts$/, extension)

/** The manifest of what is published: its entries are built, and what only the repository needs is left out. */
const published = (manifest: typeof source): unknown => {
  const { private: _, scripts: _scripts, devDependencies: _dev, allowScripts: _allow, ...rest } = manifest
  const entries = Object.entries<string>(manifest.exports).map(([entry, path]) => [
    entry,
    path.endsWith(".ts") ? { types: compiled(path, ".d.ts"), default: compiled(path, ".js") } : path,
  ])
  const commands = Object.entries<string>(manifest.bin).map(([name, path]) => [name, compiled(path, ".js")])
  return { ...rest, bin: Object.fromEntries(commands), exports: Object.fromEntries(entries) }
}

rmSync(output, { recursive: true, force: true })
const { status } = spawnSync("tsc", ["-p", "tsconfig.build.json", "--outDir", folder], {
  cwd: root,
  stdio: ["ignore", "inherit", "inherit"],
})
if (status !== 0) process.exit(1)
writeFileSync(join(folder, "package.json"), `${JSON.stringify(published(source), null, 2)}\n`)
for (const name of ["README.md", "CHANGELOG.md", "LICENSE", "load/result.schema.json"]) {
  copyFileSync(join(root, name), join(folder, name))
}
// What the comparison compiles, or runs as it is.
for (const name of readdirSync(join(root, "bench"), { recursive: true, encoding: "utf8" })) {
  if (!/\.(c|go|mod|py|mjs)$/.test(name)) continue
  mkdirSync(dirname(join(folder, "bench", name)), { recursive: true })
  copyFileSync(join(root, "bench", name), join(folder, "bench", name))
}
chmodSync(join(folder, compiled(source.bin.anyport, ".js")), 0o755)

const main = join(root, source.bin.anyport)
const size = await bundle({
  program: readFileSync(main, "utf8"),
  folder: dirname(main),
  output: join(output, "anyport.mjs"),
})
const shown = relative(root, output)
console.log(`${join(shown, "package")}      ${source.name} ${source.version}`)
console.log(`${join(shown, "anyport.mjs")}  ${Math.ceil(size / 1_024)} KiB`)
