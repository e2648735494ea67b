/**
 * A reporter that closes a run of the tests with one plain line, `N passed, N failed`, for whoever reads only that. A
 * file that could not be loaded and an error outside of any test count as failed; skipped tests count as neither.
 */
import type { Reporter } from "vitest/node"

/** To be named after the reporter that shows the failures. */
export const tally: Reporter = {
  onTestRunEnd(modules, errors) {
    let passed = 0
    let failed = errors.length
    for (const module of modules) {
      failed += module.errors().length
      for (const test of module.children.allTests()) {
        if (test.result().state === "passed") passed++
        if (test.result().state === "failed") failed++
      }
    }
    console.log(`${passed} passed, ${failed} failed`)
  },
}
