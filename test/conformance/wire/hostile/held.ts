/**
 * What of a process can leak that no operating system counts: timers that are set, and Effect's fibers that live.
 *
 * Import it before anything that may keep its own reference to the global `setTimeout`.
 */
import type { FiberRuntimeMetricsService } from "effect/Metric"

type Timer = ReturnType<typeof setTimeout>

const { setTimeout: set, clearTimeout: clear } = globalThis
const active = new Set<unknown>()

const counted = (callback: (...args: Array<unknown>) => void, millis?: number, ...args: Array<unknown>): Timer => {
  const timer: Timer = set(() => {
    active.delete(timer)
    callback(...args)
  }, millis)
  active.add(timer)
  return timer
}
// Nobody here promisifies it: its other members are not needed.
globalThis.setTimeout = counted as typeof setTimeout
globalThis.clearTimeout = (timer) => {
  active.delete(timer)
  clear(timer)
}

/** Timers that are set and have neither fired nor been cleared. */
export const timers = (): number => active.size

let living = 0

/** Fibers that have begun and not ended. */
export const fibers = (): number => living

/** To be provided to the program whose fibers are to be counted. */
export const metrics: FiberRuntimeMetricsService = {
  recordFiberStart: () => void living++,
  recordFiberEnd: () => void living--,
}
