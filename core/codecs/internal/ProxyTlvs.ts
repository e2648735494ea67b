/**
 * The TLVs that the PROXY protocol has registered (section 2.2 and what is below it), and how the value of each is
 * written. Whether a checksum is right is not seen here.
 */
import * as Result from "effect/Result"
import { type FrameError, invalidLength, invalidText } from "../../Codec.ts"
import type { Ssl, Tlvs } from "../ProxyHeader.ts"
import { cannot, unwritable } from "./ProxyErrors.ts"
import * as Tlv from "./Tlv.ts"

/** A TLV without a meaning. */
export const noop = 0x04

/** The type of the checksum, and the bytes of its value. */
export const crc32c = 0x03
export const checksumLength = 4

/** UTF-8; a BOM is part of the text. */
export const utf8: Tlv.Format<string> = {
  decode(bytes, name) {
    try {
      return Result.succeed(strict.decode(bytes))
    } catch {
      return Result.fail(invalidText(cannot("decode", `${name} is not UTF-8`)))
    }
  },
  encode(value, name) {
    const bytes = encoder.encode(value)
    return strict.decode(bytes) === value
      ? Result.succeed(bytes)
      : Result.fail(invalidText(cannot("encode", `${name} holds half a character (a lone surrogate)`)))
  },
}

/** Text with a byte for each character, which is `highest` at most. */
const bytewise = (highest: number, wanted: string): Tlv.Format<string> => ({
  decode(bytes, name) {
    const wrong = bytes.find((byte) => byte > highest)
    return wrong === undefined
      ? Result.succeed(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))
      : Result.fail(invalidText(cannot("decode", `${name} holds byte ${wrong}, wanted ${wanted}`)))
  },
  encode(value, name) {
    const codes = Array.from(value, (character) => character.codePointAt(0)!)
    const wrong = codes.find((code) => code > highest)
    return wrong === undefined
      ? Result.succeed(Uint8Array.from(codes))
      : Result.fail(invalidText(cannot("encode", `${name} holds character ${wrong}, wanted ${wanted}`)))
  },
})

const ascii = bytewise(127, "US-ASCII")

const octets = (maximum: number): Tlv.Format<Uint8Array> => {
  const bounded = (
    action: "decode" | "encode",
    value: Uint8Array,
    name: string,
  ): Result.Result<Uint8Array, FrameError> =>
    value.length <= maximum
      ? Result.succeed(value)
      : Result.fail(invalidLength(cannot(action, `${name} has ${value.length} bytes, wanted at most ${maximum}`)))
  return {
    decode: (bytes, name) => bounded("decode", bytes.slice(), name),
    encode: (value, name) => bounded("encode", value, name),
  }
}

/** That there is one; the header around it checks it, and computes it in the place of these zeros. */
const checksum: Tlv.Format<true> = {
  decode: () => Result.succeed(true),
  encode: () => Result.succeed(new Uint8Array(checksumLength)),
}

const members = Tlv.vector<Omit<Ssl, "client" | "verify">>({
  version: [0x21, ascii],
  cn: [0x22, utf8],
  cipher: [0x23, ascii],
  sigAlg: [0x24, ascii],
  keyAlg: [0x25, ascii],
  group: [0x26, ascii],
  sigScheme: [0x27, ascii],
  clientCert: [0x28, octets(65_535)],
})

/**
 * ```text
 *  1        4, big
 * +--------+--------+------------+
 * | client | verify | more TLVs  |   client: 0x01 ssl, 0x02 certConn, 0x04 certSess
 * +--------+--------+------------+
 * ```
 */
const ssl: Tlv.Format<Ssl> = {
  decode(bytes, name) {
    if (bytes.length < 5) {
      return Result.fail(invalidLength(cannot("decode", `${name} has ${bytes.length} bytes, wanted at least 5`)))
    }
    const flags = bytes[0]!
    const client = { ssl: (flags & 1) !== 0, certConn: (flags & 2) !== 0, certSess: (flags & 4) !== 0 }
    const verify = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1)
    return Result.flatMap(
      Tlv.split(bytes.subarray(5)),
      (tlvs) => Result.map(members.decode(tlvs), (members) => ({ client, verify, ...members })),
    )
  },
  encode(value, name) {
    const { client, verify } = value
    if (!Number.isInteger(verify) || verify < 0 || verify >= 2 ** 32) {
      return unwritable(`${name}.verify is ${verify}, wanted 0 to 4294967295`)
    }
    return Result.map(members.encode(value), (tlvs) => {
      const bytes = new Uint8Array(5 + tlvs.length)
      bytes[0] = (client.ssl ? 1 : 0) | (client.certConn ? 2 : 0) | (client.certSess ? 4 : 0)
      new DataView(bytes.buffer).setUint32(1, verify)
      bytes.set(tlvs, 5)
      return bytes
    })
  },
}

/** The TLVs of a header. The checksum is written first, so that it is directly behind the addresses. */
export const vector: Tlv.Vector<Tlvs> = Tlv.vector<Tlvs>({
  crc32c: [crc32c, checksum],
  alpn: [0x01, bytewise(255, "a byte for each character")],
  authority: [0x02, utf8],
  uniqueId: [0x05, octets(128)],
  ssl: [0x20, ssl],
  netns: [0x30, ascii],
})

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const encoder = new TextEncoder()
