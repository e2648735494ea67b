/**
 * What this process has used of the machine.
 */
import process from "node:process"

/** CPU time of this process so far, in milliseconds. */
export const cpu = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}
