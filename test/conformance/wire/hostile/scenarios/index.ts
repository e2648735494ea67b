/** All of them, in the order in which they are run and shown. */
import type { Scenario } from "../Scenario.ts"
import { dripping, leavers, slowloris } from "./early.ts"
import { simultaneous, stopped, writtenTo } from "./ending.ts"
import { churn, descriptors, oneAddress, rush } from "./many.ts"
import { garbage, halfOpen, oversize, resets, slowReading, torn } from "./modes.ts"
import { goodbye, pipelining, slowReaders } from "./reading.ts"

export const scenarios: ReadonlyArray<Scenario> = [
  leavers,
  slowloris,
  dripping,
  slowReaders,
  pipelining,
  goodbye,
  descriptors,
  rush,
  oneAddress,
  churn,
  simultaneous,
  writtenTo,
  stopped,
  torn,
  garbage,
  oversize,
  slowReading,
  halfOpen,
  resets,
]
