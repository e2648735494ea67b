/**
 * For how long threads were ready to run and got no CPU, because other programs had it. Linux's own account, so that what
 * the machine does meanwhile is not taken for the server's slowness.
 */
import { readdirSync, readFileSync } from "node:fs"
import process from "node:process"

/** Milliseconds so far, of all threads of a process and of this one. */
export const waitedForCpu = (pid: number): number => (ofProcess(pid) + ofProcess(process.pid)) / 1e6

/** Nanoseconds: the second figure of `schedstat` (proc(5)); none where the kernel keeps no account. */
const ofProcess = (pid: number): number =>
  threads(pid).reduce(
    (sum, thread) => sum + (Number(text(`/proc/${pid}/task/${thread}/schedstat`).split(" ")[1]) || 0),
    0,
  )

const threads = (pid: number): ReadonlyArray<string> => {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    return [] // it has ended
  }
}

const text = (path: string): string => {
  try {
    return readFileSync(path, "latin1")
  } catch {
    return ""
  }
}
