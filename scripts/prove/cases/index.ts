/** The cases of the proof, in the order of the matrix's rows. */
import type { Case } from "../Case.ts"
import { descriptors } from "./descriptors.ts"
import { endlessLine } from "./endlessLine.ts"
import { halfClose } from "./halfClose.ts"
import { lastReply } from "./lastReply.ts"
import { lateReader } from "./lateReader.ts"
import { noisyAddress } from "./noisyAddress.ts"
import { slowReader } from "./slowReader.ts"
import { splitText } from "./splitText.ts"
import { term } from "./term.ts"

export const cases: ReadonlyArray<Case> = [
  lateReader,
  splitText,
  halfClose,
  lastReply,
  endlessLine,
  slowReader,
  descriptors,
  noisyAddress,
  term,
]
