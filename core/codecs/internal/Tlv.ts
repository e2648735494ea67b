/**
 * Vectors of type, length and value, which PROXY headers hold on two levels, and the records that they are read into by
 * a table: for each name its type and how its value is written. Which types there are is said elsewhere.
 *
 * ```text
 *  1      2, big   as declared
 * +------+--------+-------------+
 * | type | length | value       |
 * +------+--------+-------------+
 * ```
 */
import * as Result from "effect/Result"
import { type FrameError, invalidLength } from "../../Codec.ts"
import type { Tlv } from "../ProxyHeader.ts"
import { cannot, hex, unreadable, unwritable } from "./ProxyErrors.ts"

/** How a value is written. `name` is for the error; what `decode` returns does not lie in `bytes`. */
export interface Format<A> {
  decode(bytes: Uint8Array, name: string): Result.Result<A, FrameError>
  encode(value: A, name: string): Result.Result<Uint8Array, FrameError>
}

/** The type and the format of each member of a record. */
export type Table<A> = {
  readonly [K in Exclude<keyof A, "others">]-?: readonly [type: number, format: Format<NonNullable<A[K]>>]
}

/** How a record is written as a vector. */
export interface Vector<A> {
  decode(tlvs: ReadonlyArray<Tlv>): Result.Result<A, FrameError>
  /** Members in the order of the table, then `others`. That no value is over 65,535 bytes long is the caller's care. */
  encode(record: A): Result.Result<Uint8Array<ArrayBuffer>, FrameError>
}

/** The vector that fills `bytes`, in which its values lie. */
export const split = (bytes: Uint8Array): Result.Result<ReadonlyArray<Tlv>, FrameError> => {
  const tlvs: Array<Tlv> = []
  for (let at = 0; at < bytes.length;) {
    const left = bytes.length - at - prefixLength
    const length = left < 0 ? 0 : bytes[at + 1]! * 256 + bytes[at + 2]!
    if (left < length) {
      const wanted = left < 0 ? `${prefixLength} of its type and length` : `${length} of its value`
      const found = left < 0 ? bytes.length - at : left
      return Result.fail(invalidLength(cannot("decode", `TLV ${hex(bytes[at]!)} has ${found} bytes, wanted ${wanted}`)))
    }
    tlvs.push({ type: bytes[at]!, value: bytes.subarray(at + prefixLength, at + prefixLength + length) })
    at += prefixLength + length
  }
  return Result.succeed(tlvs)
}

/** Records of the members that `table` names; all else is read into `others`. */
export const vector = <A extends { readonly others?: ReadonlyArray<Tlv> }>(table: Table<A>): Vector<A> => {
  // The types tie each name to its own format; from here on all rows are alike.
  const rows = Object.entries(table as Record<string, readonly [number, Format<unknown>]>)
    .map(([name, [type, format]]) => ({ name, type, format }))
  return {
    decode(tlvs) {
      const record: Record<string, unknown> = {}
      const others: Array<Tlv> = []
      for (const { type, value } of tlvs) {
        const row = rows.find((row) => row.type === type)
        if (row === undefined) {
          others.push({ type, value: value.slice() })
          continue
        }
        if (row.name in record) {
          return unreadable(`TLV ${hex(type)} (${row.name}) stands twice, wanted once`)
        }
        const decoded = row.format.decode(value, row.name)
        if (Result.isFailure(decoded)) return Result.fail(decoded.failure)
        record[row.name] = decoded.success
      }
      if (others.length > 0) record["others"] = others
      return Result.succeed(record as A) // each member was read by its own row
    },
    encode(record) {
      const tlvs: Array<Tlv> = []
      for (const { name, type, format } of rows) {
        const value = (record as Record<string, unknown>)[name] // of the format's type, as the table is
        if (value === undefined) continue
        const encoded = format.encode(value, name)
        if (Result.isFailure(encoded)) return Result.fail(encoded.failure)
        tlvs.push({ type, value: encoded.success })
      }
      for (const other of record.others ?? []) {
        const row = rows.find(({ type }) => type === other.type)
        if (row !== undefined) {
          return unwritable(`TLV ${hex(row.type)} is in others, wanted as ${row.name}`)
        }
        if (!Number.isInteger(other.type) || other.type < 0 || other.type > 255) {
          return unwritable(`the type of a TLV is ${other.type}, wanted 0 to 255`)
        }
        tlvs.push(other)
      }
      return Result.succeed(join(tlvs))
    },
  }
}

const join = (tlvs: ReadonlyArray<Tlv>): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(tlvs.reduce((length, { value }) => length + prefixLength + value.length, 0))
  let at = 0
  for (const { type, value } of tlvs) {
    bytes.set([type, value.length >>> 8, value.length], at)
    bytes.set(value, at + prefixLength)
    at += prefixLength + value.length
  }
  return bytes
}

/** The bytes in front of a value. */
export const prefixLength = 3
