/**
 * The port's conformance: cases against nothing but the port, a listener and its clients over the same adapter.
 *
 * Each case stands under the number of the clause that it tests; 0 is `listen` and `connect` themselves, which have no
 * number. In brackets stand the numbers of the behaviours that were found broken in some runtime (d5) or of the fault
 * (F) that it covers. What holds in every case, clauses 1, 2 and 7, is checked by `End` all the time.
 */
import { accept } from "./accept.ts"
import { addresses } from "./addresses.ts"
import type { Case } from "./Case.ts"
import { ending } from "./ending.ts"
import { halfClose } from "./halfClose.ts"
import { lifetime } from "./lifetime.ts"
import { memory } from "./memory.ts"
import { options } from "./options.ts"
import { pause } from "./pause.ts"
import { reentrancy } from "./reentrancy.ts"
import { total } from "./total.ts"
import { unix } from "./unix.ts"

export { type Area, type Case } from "./Case.ts"
export { type Result, runCase, titleOf } from "./runCase.ts"

/** The suite, in the order of the clauses. Cases of the areas `unix` and `files` bind paths in `directory`. */
export const suite = (directory: string): ReadonlyArray<Case> => [
  ...memory, // 1
  ...reentrancy, // 2
  ...total, // 3
  ...pause, // 4
  ...halfClose, // 5 and 6
  ...ending, // 7
  ...accept, // 8
  ...options, // 9
  ...addresses(directory),
  ...lifetime,
  ...unix(directory),
]
