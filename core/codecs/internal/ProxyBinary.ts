/** Version 2 of the PROXY protocol: the binary header. `ProxyHeader.ts` draws it and says what is refused. */
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as Address from "../../Address.ts"
import type { ByteBuffer } from "../../ByteBuffer.ts"
import { checksumMismatch, type FrameError, frameTooLarge, invalidLength } from "../../Codec.ts"
import { crc32c } from "../Crc.ts"
import type { ProxyHeader, Tlv } from "../ProxyHeader.ts"
import * as ProxyEndpoints from "./ProxyEndpoints.ts"
import { cannot, hex, unreadable, unwritable } from "./ProxyErrors.ts"
import * as ProxyTlvs from "./ProxyTlvs.ts"
import { prefixLength, split } from "./Tlv.ts"

/** Consumes a header; undefined when more bytes are needed. */
export const decode = (input: ByteBuffer, maxLength: number): Result.Result<ProxyHeader, FrameError> | undefined => {
  const prefix = readPrefix(input, maxLength)
  if (prefix === undefined) return undefined
  if (Result.isFailure(prefix)) return Result.fail(prefix.failure)
  const { kind, addresses, length } = prefix.success
  if (input.length < length) return undefined
  // Of a copy: what is kept of a header must not lie in the input, and its checksum is overwritten.
  const header = kind === "Local"
    ? Result.succeed(local)
    : readBlock(input.copy(input.start, input.start + length), kind, blockAt + addresses)
  if (Result.isSuccess(header)) input.consume(length)
  return header
}

/** The bytes of a header. */
export const encode = (header: ProxyHeader, maxLength: number): Result.Result<Uint8Array, FrameError> =>
  Result.gen(function* () {
    const { family, addresses } = yield* writeEnds(yield* ProxyEndpoints.parse(header))
    const tlvs = yield* ProxyTlvs.vector.encode(header.tlvs)
    const length = addresses.length + tlvs.length
    const local = header.command === "LOCAL"
    if (local && length > 0) return yield* unwritable("LOCAL has addresses or TLVs, wanted none")
    if (length > maxLength) return yield* Result.fail(frameTooLarge(length, maxLength))

    const bytes = new Uint8Array(blockAt + length)
    bytes.set([...signature, local ? 0x20 : 0x21, family, length >>> 8, length])
    bytes.set(addresses, blockAt)
    bytes.set(tlvs, blockAt + addresses.length)
    const sumAt = blockAt + addresses.length + prefixLength
    if (header.tlvs.crc32c) new DataView(bytes.buffer).setUint32(sumAt, crc32c(bytes))
    return bytes
  })

type Kind = ProxyEndpoints.Endpoints["_tag"]

interface Layout {
  /** Of LOCAL nothing is read, of what is unspecified the TLVs. */
  readonly kind: Kind | "Local"
  /** The bytes of the addresses in front of the TLVs. */
  readonly addresses: number
}

interface Prefix extends Layout {
  /** The bytes of the whole header. */
  readonly length: number
}

/** All that can be refused before the block has come. */
const readPrefix = (input: ByteBuffer, maxLength: number): Result.Result<Prefix, FrameError> | undefined => {
  const { bytes, start } = input
  const seen = input.length
  const wrong = signature.findIndex((byte, i) => i < seen && bytes[start + i] !== byte)
  if (wrong >= 0) {
    const wanted = wrong === 0 ? "0x50 (version 1) or 0x0d (version 2)" : hex(signature[wrong]!)
    return unreadable(`byte ${wrong + 1} is ${hex(bytes[start + wrong]!)}, wanted ${wanted}`)
  }
  if (seen <= commandAt) return undefined
  const command = bytes[start + commandAt]!
  if (command !== 0x20 && command !== 0x21) {
    return unreadable(`version and command are ${hex(command)}, wanted 0x20 (LOCAL) or 0x21 (PROXY)`)
  }
  if (seen <= familyAt) return undefined
  const family = bytes[start + familyAt]!
  const layout = command === 0x20 ? discarded : layouts.get(family)
  if (layout === undefined) {
    const wanted = [...layouts.keys()].map(hex).join(", ")
    return unreadable(`family and protocol are ${hex(family)}, wanted one of ${wanted}`)
  }
  if (seen < blockAt) return undefined
  const length = bytes[start + lengthAt]! * 256 + bytes[start + lengthAt + 1]!
  if (length > maxLength) return Result.fail(frameTooLarge(length, maxLength))
  if (length < layout.addresses) {
    const what = `its length is ${length}, wanted at least the ${layout.addresses} of its addresses`
    return Result.fail(invalidLength(cannot("decode", what)))
  }
  return Result.succeed({ ...layout, length: blockAt + length })
}

/** `header` is the whole of it, and ours; its TLVs begin at `tlvsAt`. */
const readBlock = (header: Uint8Array, kind: Kind, tlvsAt: number): Result.Result<ProxyHeader, FrameError> =>
  Result.gen(function* () {
    const all = yield* split(header.subarray(tlvsAt))
    yield* checkSum(header, all)
    const tlvs = yield* ProxyTlvs.vector.decode(all.filter(({ type }) => type !== ProxyTlvs.noop))
    const ends = yield* readEnds(header.subarray(blockAt, tlvsAt), kind)
    return { version: 2, command: "PROXY", ...ends, tlvs }
  })

/** The sum is that of the header with zeros in its place. `tlvs` lie in the header. */
const checkSum = (header: Uint8Array, tlvs: ReadonlyArray<Tlv>): Result.Result<void, FrameError> => {
  const sum = tlvs.find(({ type }) => type === ProxyTlvs.crc32c)?.value
  if (sum === undefined) return Result.void
  if (sum.length !== ProxyTlvs.checksumLength) {
    const what = `crc32c has ${sum.length} bytes, wanted ${ProxyTlvs.checksumLength}`
    return Result.fail(invalidLength(cannot("decode", what)))
  }
  const declared = new DataView(sum.buffer, sum.byteOffset).getUint32(0)
  sum.fill(0)
  const actual = crc32c(header)
  return actual === declared ? Result.void : Result.fail(checksumMismatch(declared, actual))
}

type Ends = Pick<ProxyHeader, "source" | "destination">

const readEnds = (bytes: Uint8Array, kind: Kind): Result.Result<Ends, FrameError> => {
  switch (kind) {
    case "Unspecified":
      return Result.succeed({ source: undefined, destination: undefined })
    case "Unix":
      return Result.gen(function* () {
        const source = yield* readPath(bytes.subarray(0, pathLength), "source")
        const destination = yield* readPath(bytes.subarray(pathLength), "destination")
        return { source: named(source), destination: named(destination) }
      })
    case "Ipv4":
      return Result.succeed({ source: readIp(bytes, 4, 0), destination: readIp(bytes, 4, 1) })
    case "Ipv6":
      return Result.succeed({ source: readIp(bytes, 16, 0), destination: readIp(bytes, 16, 1) })
  }
}

/** Both addresses, each of `width` bytes, come before both ports. */
const readIp = (bytes: Uint8Array, width: 4 | 16, index: 0 | 1): Address.Address => {
  const octets = bytes.subarray(index * width, (index + 1) * width)
  const ip = width === 4 ? NetAddress.ipv4FromBytesUnsafe(octets) : NetAddress.ipv6FromBytesUnsafe(octets)
  const portAt = 2 * width + 2 * index
  return Address.fromPeer(NetAddress.formatIp(ip), bytes[portAt]! * 256 + bytes[portAt + 1]!)
}

/** An abstract name begins with NUL and may hold more, a path ends at its first one, and a socket may have neither. */
const readPath = (bytes: Uint8Array, name: string): Result.Result<string, FrameError> => {
  const end = bytes[0] === 0 ? bytes.findLastIndex((byte) => byte !== 0) + 1 : bytes.indexOf(0)
  return ProxyTlvs.utf8.decode(end < 0 ? bytes : bytes.subarray(0, end), name)
}

const named = (path: string): Address.Address | undefined => path === "" ? undefined : Address.unix(path)

interface Addresses {
  readonly family: number
  readonly addresses: Uint8Array
}

const writeEnds = (ends: ProxyEndpoints.Endpoints): Result.Result<Addresses, FrameError> => {
  switch (ends._tag) {
    case "Unspecified":
      return Result.succeed({ family: 0x00, addresses: new Uint8Array(0) })
    case "Unix":
      return Result.gen(function* () {
        const paths = [yield* writePath(ends.source, "source"), yield* writePath(ends.destination, "destination")]
        return { family: 0x31, addresses: Uint8Array.from(paths.flatMap((path) => [...path])) }
      })
    case "Ipv4":
    case "Ipv6": {
      const { source, destination } = ends
      const octets = [source, destination].flatMap(({ ip }) =>
        NetAddress.isIpv4Address(ip) ? [...NetAddress.ipv4ToOctets(ip)] : [...NetAddress.ipv6ToOctets(ip)]
      )
      const ports = [source, destination].flatMap(({ port }) => [port >>> 8, port])
      return Result.succeed({
        family: ends._tag === "Ipv4" ? 0x11 : 0x21,
        addresses: Uint8Array.of(...octets, ...ports),
      })
    }
  }
}

const writePath = (path: string, name: string): Result.Result<Uint8Array, FrameError> => {
  const bytes = new Uint8Array(pathLength)
  encoder.encodeInto(path, bytes)
  // Too long, or with a NUL or a lone surrogate where none can be: whatever it is, another one would be read.
  if (Result.getOrUndefined(readPath(bytes, name)) === path) return Result.succeed(bytes)
  return unwritable(`${name} is ${JSON.stringify(path)}, wanted a path or abstract name of at most ${pathLength} bytes`)
}

const signature: ReadonlyArray<number> = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
const commandAt = 12
const familyAt = 13
const lengthAt = 14
const blockAt = 16
const pathLength = 108

/** By family and protocol. A receiver may take what it does not support as unspecified: here datagrams. */
const layouts: ReadonlyMap<number, Layout> = new Map<number, Layout>([
  [0x00, { kind: "Unspecified", addresses: 0 }],
  [0x11, { kind: "Ipv4", addresses: 12 }],
  [0x12, { kind: "Unspecified", addresses: 12 }],
  [0x21, { kind: "Ipv6", addresses: 36 }],
  [0x22, { kind: "Unspecified", addresses: 36 }],
  [0x31, { kind: "Unix", addresses: 2 * pathLength }],
  [0x32, { kind: "Unspecified", addresses: 2 * pathLength }],
])

const discarded: Layout = { kind: "Local", addresses: 0 }

const local: ProxyHeader = { version: 2, command: "LOCAL", source: undefined, destination: undefined, tlvs: {} }

const encoder = new TextEncoder()
