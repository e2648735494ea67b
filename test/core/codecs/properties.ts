/**
 * What must hold of every codec, whatever its format, and the two small drivers that its scripted tests use as well.
 * `decodeAll` is the contract's own loop; it lends each chunk and overwrites it afterwards, so that a decoder that keeps
 * a view of its input is caught.
 */
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { ByteBuffer } from "../../../core/ByteBuffer.ts"
import { ByteWriter } from "../../../core/ByteWriter.ts"
import type { Codec, FrameError } from "../../../core/Codec.ts"

/** What came of some input. `unread` is empty after an error, where it has no meaning. */
export interface Decoded<A> {
  readonly frames: Array<A>
  readonly error: FrameError["_tag"] | undefined
  readonly unread: Array<number>
  /** The most bytes that were unread once a chunk was decoded. */
  readonly held: number
}

export const decodeAll = <A>(codec: Codec<A, never>, chunks: Iterable<Uint8Array>, limit = 128): Decoded<A> => {
  const input = new ByteBuffer()
  const decoder = codec.decoder()
  const all: Array<A> = []
  const frames: Array<A> = []
  let error: FrameError | undefined
  let held = 0
  for (const chunk of chunks) {
    const lent = chunk.slice()
    input.append(lent)
    do {
      const before = input.length
      frames.length = 0
      error = decoder.decode(input, frames, limit)
      expect(frames.length).toBeLessThanOrEqual(limit)
      expect(input.length).toBeLessThanOrEqual(before)
      all.push(...frames)
    } while (error === undefined && frames.length > 0)
    input.own()
    lent.fill(0xA5)
    if (error !== undefined) return { frames: all, error: error._tag, unread: [], held }
    held = Math.max(held, input.length)
  }
  error = decoder.end(input, all)
  const unread = error === undefined ? [...input.bytes.subarray(input.start, input.end)] : []
  return { frames: all, error: error?._tag, unread, held }
}

/** The bytes of some frames, which must be encodable. */
export const encodeAll = <B>(codec: Codec<unknown, B>, frames: ReadonlyArray<B>): Uint8Array => {
  const { bytes, error } = encode(codec, frames)
  expect(error).toBeUndefined()
  return bytes
}

/** What an encoder wrote, and why it stopped. */
export const encode = <B>(
  codec: Codec<unknown, B>,
  frames: ReadonlyArray<B>,
): { readonly bytes: Uint8Array; readonly error: FrameError | undefined } => {
  const output = new ByteWriter()
  // What other connections wrote lies in it still, and must not be sent.
  output.bytes.fill(0xA5)
  const encoder = codec.encoder()
  const error = encoder.encode(frames, output)
  const most = frames.map((frame) => encoder.atMost?.(frame))
  // What is said to be sure is written, in no more bytes than that.
  if (!most.includes(undefined)) {
    expect(error).toBeUndefined()
    expect(output.length).toBeLessThanOrEqual(most.reduce<number>((sum, bytes) => sum + bytes!, 0))
  }
  return { bytes: output.bytes.slice(0, output.length), error }
}

/** Text as UTF-8, and numbers as bytes, one behind the other. */
export const bytesOf = (...parts: ReadonlyArray<string | number | Uint8Array>): Uint8Array =>
  Uint8Array.from(
    parts.flatMap((part) =>
      typeof part === "string" ? [...new TextEncoder().encode(part)] : typeof part === "number" ? [part] : [...part]
    ),
  )

/** Each byte a chunk of its own. */
export const oneByOne = (bytes: Uint8Array): Array<Uint8Array> => Array.from(bytes, (byte) => Uint8Array.of(byte))

/** A codec and what its properties need to know. */
export interface Subject<A> {
  readonly codec: Codec<A, A>
  /** Frames that can be sent and received. */
  readonly frame: fc.Arbitrary<A>
  /** Bytes that mean something to the format, to be found often in hostile input. */
  readonly alphabet: ReadonlyArray<number>
  /** How many bytes may stay unread without a frame: the maximum and what surrounds it. */
  readonly bound: number
  /** What does not depend on how the input was split. Default: the frames. */
  readonly essence?: (frames: ReadonlyArray<A>) => unknown
}

/** Declares the properties of a codec as tests. */
export const holds = <A>(name: string, subject: Subject<A>): void => {
  const { codec, frame, alphabet, bound, essence = (frames) => frames } = subject
  const valid = fc.array(frame, { maxLength: 12 }).map((frames) => encodeAll(codec, frames))
  const noise = fc.array(fc.oneof(fc.constantFrom(...alphabet), fc.nat(255)), { maxLength: 60 })
    .map((bytes) => Uint8Array.from(bytes))
  const stream = fc.array(fc.oneof(valid, noise), { minLength: 1, maxLength: 4 }).map((parts) => bytesOf(...parts))
  const mutated = fc.tuple(valid, fc.array(mutation(alphabet), { minLength: 1, maxLength: 4 })).map((
    [bytes, mutations],
  ) => Uint8Array.from(mutations.reduce<ReadonlyArray<number>>((all, mutate) => mutate(all), [...bytes])))
  const result = (chunks: ReadonlyArray<Uint8Array>, limit?: number) => {
    const { frames, error, unread, held } = decodeAll(codec, chunks, limit)
    expect(held).toBeLessThanOrEqual(bound)
    return { frames: essence(frames), error, unread }
  }

  describe(name, () => {
    test("every split of the input gives the same frames (FAULTS 14, 16)", () => {
      fc.assert(fc.property(stream, fc.array(fc.nat(), { maxLength: 8 }), (bytes, cuts) => {
        const whole = result([bytes])
        expect(result(oneByOne(bytes))).toEqual(whole)
        expect(result(split(bytes, cuts))).toEqual(whole)
        if (bytes.length > 60) return
        for (let at = 0; at <= bytes.length; at++) expect(result(split(bytes, [at]))).toEqual(whole)
      }))
    })

    test("frames are the same whatever the limit, and all of a chunk come in order (FAULTS 15)", () => {
      fc.assert(fc.property(stream, (bytes) => {
        const whole = result([bytes], 1024)
        expect(result([bytes], 1)).toEqual(whole)
        expect(result([bytes], 2)).toEqual(whole)
      }))
    })

    test("what is encoded is decoded, together and one at a time", () => {
      fc.assert(
        fc.property(fc.array(frame, { maxLength: 20 }), fc.array(fc.nat(), { maxLength: 4 }), (frames, cuts) => {
          const bytes = encodeAll(codec, frames)
          expect(bytesOf(...frames.map((one) => encodeAll(codec, [one])))).toEqual(bytes)
          const decoded = result(split(bytes, cuts))
          expect(decoded).toEqual({ frames: essence(frames), error: undefined, unread: [] })
        }),
      )
    })

    test("mutated input gives frames or a typed failure, and is read to its end within the bound", () => {
      fc.assert(fc.property(mutated, fc.array(fc.nat(), { maxLength: 4 }), (bytes, cuts) => {
        expect(result(split(bytes, cuts))).toEqual(result([bytes]))
      }))
    })
  })
}

const split = (bytes: Uint8Array, cuts: ReadonlyArray<number>): Array<Uint8Array> => {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return at.slice(1).map((end, i) => bytes.subarray(at[i]!, end))
}

type Mutate = (bytes: ReadonlyArray<number>) => ReadonlyArray<number>

const mutation = (alphabet: ReadonlyArray<number>): fc.Arbitrary<Mutate> =>
  fc.record({
    kind: fc.constantFrom("change", "insert", "delete"),
    at: fc.nat(),
    byte: fc.oneof(fc.nat(255), fc.constantFrom(...alphabet)),
  }).map(({ kind, at, byte }) => (bytes) => {
    const index = at % (bytes.length + 1)
    const added = kind === "delete" ? [] : [byte]
    return [...bytes.slice(0, index), ...added, ...bytes.slice(kind === "insert" ? index : index + 1)]
  })
