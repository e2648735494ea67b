/** How the files of the PROXY protocol say what is wrong. */
import * as Result from "effect/Result"
import { type FrameError, invalidFrame } from "../../Codec.ts"

/** A message: what was found, and what was wanted. */
export const cannot = (action: "decode" | "encode", what: string): string => `Cannot ${action} PROXY header: ${what}`

/** Bytes that are not a header. */
export const unreadable = (what: string): Result.Result<never, FrameError> =>
  Result.fail(invalidFrame(cannot("decode", what)))

/** A header that cannot be bytes. */
export const unwritable = (what: string): Result.Result<never, FrameError> =>
  Result.fail(invalidFrame(cannot("encode", what)))

/** `0x0d` */
export const hex = (byte: number): string => `0x${byte.toString(16).padStart(2, "0")}`
