/** The cases, in the order of the table. */
import type { Case } from "../Case.ts"
import { descriptors } from "./descriptors.ts"
import { restart } from "./restart.ts"
import { spreading } from "./spread.ts"
import { stopped } from "./stopped.ts"
import { storm } from "./storm.ts"
import { worker } from "./worker.ts"

export const cases: ReadonlyArray<Case> = [worker, restart, descriptors, storm, spreading, stopped]
