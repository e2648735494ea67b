/**
 * A reporter that closes a run of the tests with plain lines for whoever reads only those: each test that failed by its
 * name, then `N passed, N failed`. A file that could not be loaded and an error outside of any test count as failed;
 * skipped tests count as neither.
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
        if (test.result().state !== "failed") continue
        failed++
        console.log(`failed: ${module.relativeModuleId} > ${test.fullName}`)
      }
    }
    console.log(`${passed} passed, ${failed} failed`)
  },
}
