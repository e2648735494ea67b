/**
 * The options that codecs share, and how options are checked: once, when the codec is made. Nothing after that looks at
 * them again, and nothing here sees a byte.
 */

/** The bounds of a codec whose frames vary in length. Each codec says which bytes of a frame are its content. */
export interface Limits {
  /** Bytes of content in one received frame, at most. There is no default: it is what a stranger may make you hold. */
  readonly maxLength: number
  /** Bytes of content in one sent frame, at most. Default: `maxLength`, so that the same codec can read it back. */
  readonly maxOutgoing?: number
  /**
   * What a received frame over `maxLength` leads to: a `FrameTooLarge`, or it is dropped as it arrives and decoding goes
   * on behind it. A dropped frame holds no memory; one that the peer's FIN cuts short is dropped as well. Default `fail`.
   */
  readonly overlong?: "fail" | "skip"
}

/** Checks and completes the shared options of the codec that is named. Throws a RangeError that names the option. */
export const parse = (codec: string, limits: Limits): Required<Limits> => {
  const maxLength = wholeNumber(codec, "maxLength", limits.maxLength, 0)
  return {
    maxLength,
    maxOutgoing: wholeNumber(codec, "maxOutgoing", limits.maxOutgoing ?? maxLength, 0),
    overlong: oneOf(codec, "overlong", limits.overlong ?? "fail", ["fail", "skip"]),
  }
}

/** A whole number from `from` to `to` (by default 2^53 - 1), or a RangeError that names the option. */
export const wholeNumber = (
  codec: string,
  option: string,
  value: number,
  from: number,
  to: number = Number.MAX_SAFE_INTEGER,
): number => {
  if (Number.isSafeInteger(value) && value >= from && value <= to) return value
  throw new RangeError(`Cannot make ${codec}: ${option} is ${value}, wanted a whole number from ${from} to ${to}`)
}

/** One of the accepted values, or a RangeError that names the option. */
export const oneOf = <A extends string | number>(
  codec: string,
  option: string,
  value: A,
  accepted: ReadonlyArray<A>,
): A => {
  if (accepted.includes(value)) return value
  const wanted = accepted.map((one) => JSON.stringify(one)).join(" or ")
  throw new RangeError(`Cannot make ${codec}: ${option} is ${JSON.stringify(value)}, wanted ${wanted}`)
}
