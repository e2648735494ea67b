/**
 * How the tests run: one process a file, two at a time, because the machines that run them are small. Tests of core,
 * load and ops are of virtual time and end at once or hang; all others wait for processes and sockets.
 */
import { delimiter, join } from "node:path"
import { defineConfig } from "vitest/config"
import { tally } from "./scripts/tally.ts"

const virtual = ["test/core/**/*.test.ts", "test/load/**/*.test.ts", "test/ops/**/*.test.ts"]
const interop = "test/interop/**/*.test.ts"
const patience = { testTimeout: 30_000, hookTimeout: 30_000 }

export default defineConfig({
  test: {
    pool: "forks",
    maxWorkers: 2,
    reporters: ["default", tally],
    // Tests start the pinned runtimes by name, also when vitest itself was not started by npm.
    env: { PATH: join(import.meta.dirname, "node_modules", ".bin") + delimiter + process.env["PATH"] },
    projects: [
      { extends: true, test: { name: "core", include: virtual, testTimeout: 15_000 } },
      {
        extends: true,
        test: { name: "wire", include: ["test/**/*.test.ts"], exclude: [...virtual, interop], ...patience },
      },
      // Needs programs that `.ci/run` installs, so `npm test` leaves it out.
      { extends: true, test: { name: "interop", include: [interop], ...patience } },
    ],
  },
})
