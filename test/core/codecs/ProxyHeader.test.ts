import fc from "fast-check"
import { describe, expect, test } from "vitest"
import * as Address from "../../../core/Address.ts"
import { ByteBuffer } from "../../../core/ByteBuffer.ts"
import type { FrameError } from "../../../core/Codec.ts"
import * as Crc from "../../../core/codecs/Crc.ts"
import * as ProxyHeader from "../../../core/codecs/ProxyHeader.ts"
import { bytesOf, decodeAll, encode, encodeAll, holds, oneByOne } from "./properties.ts"

type Header = ProxyHeader.ProxyHeader

const codec = ProxyHeader.make()

const header = (version: 1 | 2, source?: Address.Address, destination?: Address.Address, tlvs: ProxyHeader.Tlvs = {}) =>
  ({ version, command: "PROXY", source, destination, tlvs }) satisfies Header

const local: Header = { version: 2, command: "LOCAL", source: undefined, destination: undefined, tlvs: {} }

const signature = bytesOf("\r\n\r\n", 0, "\r\nQUIT\n")

/** A version 2 header with its length. */
const binary = (command: number, family: number, ...block: ReadonlyArray<string | number | Uint8Array>): Uint8Array => {
  const { length } = bytesOf(...block)
  return bytesOf(signature, command, family, length >> 8, length & 255, ...block)
}

const tlv = (type: number, ...value: ReadonlyArray<string | number | Uint8Array>): Uint8Array => {
  const { length } = bytesOf(...value)
  return bytesOf(type, length >> 8, length & 255, ...value)
}

/** From 192.168.0.1:56324 to 192.168.0.11:443. */
const ends = bytesOf(192, 168, 0, 1, 192, 168, 0, 11, 0xDC, 0x04, 0x01, 0xBB)
const client = Address.tcp("192.168.0.1", 56_324)
const server = Address.tcp("192.168.0.11", 443)

const unix = (path: string): Uint8Array => bytesOf(path, new Uint8Array(108 - bytesOf(path).length))

/** What one header says, and how many of the bytes it took; or why it is none, or that there are too few. */
const read = (
  bytes: Uint8Array,
  from: typeof codec = codec,
): { readonly header: Header; readonly taken: number } | FrameError | "more" => {
  const input = new ByteBuffer()
  const headers: Array<Header> = []
  input.append(bytes)
  const error = from.decoder().decode(input, headers, 1)
  if (error !== undefined) {
    expect(headers).toEqual([])
    expect(input.length).toBe(bytes.length)
    return error
  }
  const [one] = headers
  if (one === undefined) expect(input.length).toBe(bytes.length)
  return one === undefined ? "more" : { header: one, taken: bytes.length - input.length }
}

/** That these bytes are refused, and no later than at their last one. */
const refused = (bytes: Uint8Array, tag: FrameError["_tag"], message: string): void => {
  expect(read(bytes)).toEqual(expect.objectContaining({ _tag: tag, message: expect.stringContaining(message) }))
  expect(read(bytes.subarray(0, -1))).toBe("more")
  expect(decodeAll(codec, oneByOne(bytesOf(bytes, "more"))).error).toBe(tag)
}

const port = fc.nat(65_535)
const ipv4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((octets) => octets.join("."))
/** As RFC 5952 writes it; what is IPv4-mapped is written as that and has its own tests. */
const ipv6 = fc.array(fc.oneof(fc.constant(0), fc.nat(65_535)), { minLength: 8, maxLength: 8 })
  .filter((segments) => segments.slice(0, 5).some((segment) => segment > 0))
  .map((segments) => new URL(`http://[${segments.map((segment) => segment.toString(16)).join(":")}]`).hostname)
  .map((host) => host.slice(1, -1))
const tcp = fc.tuple(fc.oneof(ipv4, ipv6), port).map(([host, port]) => Address.tcp(host, port))
const pair = fc.tuple(tcp, tcp)
const path = fc.string({ unit: "grapheme", minLength: 1, maxLength: 30 })
  .filter((path) => !path.includes("\0") && bytesOf(path).length <= 100)
const socket = fc.oneof(
  path.map((path) => Address.unix(path)),
  path.map((name) => Address.unix(`\0${name}`)),
  fc.constant(undefined),
)
const anyEnds = fc.oneof(
  pair,
  fc.tuple(socket, socket),
  fc.constant([undefined, undefined] as const),
)
const ascii = fc.string({ unit: "grapheme-ascii", maxLength: 12 })
const utf8 = fc.string({ unit: "grapheme", maxLength: 8 })
const octets = fc.uint8Array({ maxLength: 16 })
const others = (types: ReadonlyArray<number>) =>
  fc.array(fc.record({ type: fc.constantFrom(...types), value: octets }), { minLength: 1, maxLength: 3 })
const ssl = fc.record({
  client: fc.record({ ssl: fc.boolean(), certConn: fc.boolean(), certSess: fc.boolean() }),
  verify: fc.nat(2 ** 32 - 1),
  version: ascii,
  cn: utf8,
  cipher: ascii,
  sigAlg: ascii,
  keyAlg: ascii,
  group: ascii,
  sigScheme: ascii,
  clientCert: octets,
  others: others([0x01, 0x04, 0x29, 0xFF]),
}, { requiredKeys: ["client", "verify"] })
const tlvs: fc.Arbitrary<ProxyHeader.Tlvs> = fc.record({
  crc32c: fc.constant(true as const),
  alpn: fc.string({ unit: fc.nat(255).map((code) => String.fromCharCode(code)), maxLength: 8 }),
  authority: utf8,
  uniqueId: fc.uint8Array({ maxLength: 128 }),
  ssl,
  netns: ascii,
  others: others([0x00, 0x06, 0x21, 0xE0, 0xEA, 0xFF]),
}, { requiredKeys: [] })

const version1 = fc.oneof(pair, fc.constant([undefined, undefined] as const))
  .map(([source, destination]): Header => header(1, source, destination))
const version2 = fc.oneof(
  { weight: 9, arbitrary: fc.tuple(anyEnds, tlvs).map(([[from, to], tlvs]): Header => header(2, from, to, tlvs)) },
  { weight: 1, arbitrary: fc.constant(local) },
)

holds("ProxyHeader version 1", {
  codec,
  frame: version1,
  alphabet: [...bytesOf("PROXY TCP4 TCP6 UNKNOWN 019.:af\r\n\r\n")],
  bound: 106,
})

holds("ProxyHeader version 2", {
  codec: ProxyHeader.make({ maxLength: 1200 }),
  frame: version2,
  alphabet: [...signature, 0x20, 0x21, 0, 0x11, 0x21, 0x31, 1, 2, 3, 4, 5, 0x20, 0x22, 0x30],
  bound: 1200 + 15,
})

describe("ProxyHeader", () => {
  test("FAULTS 47: whatever follows a header, at every split, it is taken and nothing behind it is", () => {
    const behind = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.constantFrom(signature, bytesOf("PROXY UNKNOWN\r\n")))
    fc.assert(
      fc.property(fc.oneof(version1, version2), behind, (one, rest) => {
        const head = encodeAll(codec, [one])
        const all = bytesOf(head, rest)
        for (let at = 0; at <= all.length; at++) {
          const input = new ByteBuffer()
          const decoder = codec.decoder()
          const headers: Array<Header> = []
          input.append(all.slice(0, at))
          expect(decoder.decode(input, headers, 1)).toBeUndefined()
          expect(headers).toHaveLength(at < head.length ? 0 : 1)
          input.append(all.slice(at))
          if (headers.length === 0) expect(decoder.decode(input, headers, 1)).toBeUndefined()
          expect(headers).toEqual([one])
          expect(input.copy(input.start, input.end)).toEqual(rest)
        }
      }),
      { numRuns: 60 },
    )
  })

  test("no byte that may still become a header is refused, and what is left of one is no header", () => {
    fc.assert(fc.property(fc.oneof(version1, version2), (one) => {
      const head = encodeAll(codec, [one])
      for (let at = 1; at < head.length; at++) expect(read(head.subarray(0, at))).toBe("more")
      expect(read(head)).toEqual({ header: one, taken: head.length })
    }))
  })

  test("a mutated header is one, a typed failure or the beginning of one, and takes no more than it declares", () => {
    const change = fc.record({ at: fc.nat(), byte: fc.nat(255), count: fc.nat(2) })
    fc.assert(
      fc.property(fc.oneof(version1, version2), fc.array(change, { minLength: 1, maxLength: 3 }), (one, changes) => {
        let bytes: Array<number> = [...encodeAll(codec, [one])]
        for (const { at, byte, count } of changes) {
          const index = at % bytes.length
          bytes = [...bytes.slice(0, index), byte, ...bytes.slice(index + count)]
        }
        const result = read(Uint8Array.from(bytes))
        if (result === "more" || "_tag" in result) return
        const declared = bytes[0] === 0x50 ? bytes.indexOf(10) + 1 : 16 + bytes[14]! * 256 + bytes[15]!
        expect(result.taken).toBe(declared)
      }),
      { numRuns: 1000 },
    )
  })

  test("a change of one bit in a header with a checksum is found", () => {
    const bytes = encodeAll(codec, [header(2, client, server, { crc32c: true, authority: "example.org" })])
    expect(read(bytes)).toMatchObject({ taken: bytes.length })
    for (let at = 0; at < bytes.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const changed = bytes.slice()
        changed[at]! ^= 1 << bit
        // One bit makes LOCAL of PROXY, or another TLV of the checksum, and then there is none to be checked.
        const unchecked = at === 12 && bit === 0 || at === 28
        if (!unchecked) expect(read(changed)).not.toHaveProperty("header")
      }
    }
  })

  test("memory of the input is not kept", () => {
    const tlvs = {
      uniqueId: bytesOf(1, 2),
      ssl: tls({ clientCert: bytesOf(3) }),
      others: [{ type: 6, value: bytesOf(4) }],
    }
    const input = new ByteBuffer()
    const lent = encodeAll(codec, [header(2, client, server, tlvs)])
    const headers: Array<Header> = []
    input.append(lent)
    codec.decoder().decode(input, headers, 1)
    lent.fill(0xA5)
    expect(headers).toEqual([header(2, client, server, tlvs)])
    // Nor does what is kept of a header keep all of it.
    const { uniqueId, ssl, others } = headers[0]!.tlvs
    for (const kept of [uniqueId, ssl?.clientCert, others?.[0]?.value]) {
      expect(kept?.buffer.byteLength).toBe(kept?.length)
    }
  })

  test("what begins otherwise is refused at once, and at the first byte that differs", () => {
    refused(bytesOf("G"), "InvalidFrame", "byte 1 is 0x47, wanted 0x50 (version 1) or 0x0d (version 2)")
    refused(bytesOf(0x16), "InvalidFrame", "byte 1 is 0x16")
    refused(bytesOf("PR0"), "InvalidFrame", 'it begins with "PR0", wanted PROXY and TCP4, TCP6 or UNKNOWN')
    refused(bytesOf("PROXY  "), "InvalidFrame", 'it begins with "PROXY  "')
    refused(bytesOf("\r\n\r\n\r"), "InvalidFrame", "byte 5 is 0x0d, wanted 0x00")
    for (let at = 0; at < 12; at++) {
      const wrong = signature.slice(0, at + 1)
      wrong[at]! ^= 0x80
      refused(wrong, "InvalidFrame", `byte ${at + 1} is 0x${wrong[at]!.toString(16)}, wanted`)
    }
  })

  test("an option that cannot be is named, and the default is shown", () => {
    expect(ProxyHeader.defaults.maxLength).toBe(4096)
    for (const maxLength of [-1, 65_536, 1.5]) {
      expect(() => ProxyHeader.make({ maxLength })).toThrow(`Cannot make ProxyHeader: maxLength is ${maxLength}`)
    }
  })
})

const tls = (more: Partial<ProxyHeader.Ssl>): ProxyHeader.Ssl => ({
  client: { ssl: true, certConn: false, certSess: false },
  verify: 0,
  ...more,
})

describe("ProxyHeader version 1", () => {
  test("the specification's example, in front of a request", () => {
    const text = "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"
    const request = "GET / HTTP/1.1\r\nHost: 192.168.0.11\r\n\r\n"
    expect(read(bytesOf(text, request))).toEqual({ header: header(1, client, server), taken: text.length })
    expect(encodeAll(codec, [header(1, client, server)])).toEqual(bytesOf(text))
  })

  const longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

  test("the specification's longest lines have 56, 104, 15 and 107 bytes", () => {
    const v4 = Address.tcp("255.255.255.255", 65_535)
    const v6 = Address.tcp(longest, 65_535)
    const lines: ReadonlyArray<readonly [string, number, Header]> = [
      ["PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", 56, header(1, v4, v4)],
      [`PROXY TCP6 ${longest} ${longest} 65535 65535\r\n`, 104, header(1, v6, v6)],
      ["PROXY UNKNOWN\r\n", 15, header(1)],
      [`PROXY UNKNOWN ${longest} ${longest} 65535 65535\r\n`, 107, header(1)],
    ]
    for (const [text, length, expected] of lines) {
      expect(text).toHaveLength(length)
      expect(read(bytesOf(text, "next"))).toEqual({ header: expected, taken: length })
      expect(decodeAll(codec, oneByOne(bytesOf(text)))).toMatchObject({ frames: [expected], error: undefined })
    }
  })

  test.each([
    ["two addresses", "PROXY UNKNOWN ::1 ::2 1 2\r\n"],
    ["a space", "PROXY UNKNOWN \r\n"],
    ["words", "PROXY UNKNOWN whatever it is\r\n"],
    ["bytes that are not text", bytesOf("PROXY UNKNOWN ", 0, 255, 128, "\r\n")],
  ])("FAULTS 47: of UNKNOWN the rest is ignored: %s", (_, text) => {
    const bytes = bytesOf(text)
    expect(read(bytesOf(bytes, "PROXY"))).toEqual({ header: header(1), taken: bytes.length })
  })

  test.each([
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["2001:0db8::0001", "2001:db8::1"],
    ["::", "::"],
    ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::FFFF:c000:0201", "192.0.2.1"],
    ["64:ff9b::192.0.2.1", "64:ff9b::c000:201"],
  ])("a client has one name: %s is %s", (host, name) => {
    const text = `PROXY TCP6 ${host} ::1 0 65535\r\n`
    const expected = header(1, Address.tcp(name, 0), Address.tcp("::1", 65_535))
    expect(read(bytesOf(text))).toEqual({ header: expected, taken: text.length })
  })

  test.each([
    ["TCP5", "PROXY TCP5", "it begins with"],
    ["UDP4", "PROXY UD", "it begins with"],
    ["lower case", "PROXY t", "it begins with"],
    ["no space behind the family", "PROXY TCP4\r", "it begins with"],
    ["another word than UNKNOWN", "PROXY UNKNOWNX", "byte 14 is 0x58, wanted CRLF behind PROXY UNKNOWN"],
    ["a tab", "PROXY TCP4 1.2.3.4\t", "byte 19 is 0x09, wanted CRLF behind IPv4 addresses and ports"],
    ["a letter", "PROXY TCP4 1.2.3.a", "byte 18 is 0x61"],
    ["IPv6 in TCP4", "PROXY TCP4 :", "byte 12 is 0x3a"],
    ["a sign", "PROXY TCP4 1.2.3.4 1.2.3.4 +", "byte 28 is 0x2b"],
    ["a negative port", "PROXY TCP6 ::1 ::1 -", "byte 20 is 0x2d"],
    ["a zone", "PROXY TCP6 fe80::1%", "byte 19 is 0x25"],
    ["brackets", "PROXY TCP6 [", "byte 12 is 0x5b"],
    ["LF alone", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", "byte 31 is 0x0a"],
    ["CR alone", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r1", "byte 32 is 0x31"],
    ["two CR", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\r", "byte 32 is 0x0d"],
    ["LF alone behind UNKNOWN", "PROXY UNKNOWN\n", "byte 14 is 0x0a, wanted CRLF behind PROXY UNKNOWN"],
    ["LF alone behind what is ignored", "PROXY UNKNOWN a\n", "byte 16 is 0x0a"],
    ["CR alone behind what is ignored", "PROXY UNKNOWN a\rb", "byte 17 is 0x62"],
  ])("FAULTS 47: %s is refused at the byte that shows it", (_, text, message) => {
    refused(bytesOf(text), "InvalidFrame", message)
  })

  test.each([
    ["a leading zero in a port", "TCP4 1.2.3.4 1.2.3.4 007 1", 'port of source is "007", wanted 0 to 65535'],
    ["two zeros as a port", "TCP4 1.2.3.4 1.2.3.4 1 00", 'port of destination is "00"'],
    ["a port over 65535", "TCP4 1.2.3.4 1.2.3.4 65536 1", 'port of source is "65536"'],
    ["a long port", "TCP6 ::1 ::1 1 100000", 'port of destination is "100000"'],
    ["a port with a dot", "TCP4 1.2.3.4 1.2.3.4 1.0 1", 'port of source is "1.0"'],
    ["a hexadecimal port", "TCP6 ::1 ::1 f 1", 'port of source is "f"'],
    ["two spaces", "TCP4 1.2.3.4  1.2.3.4 1 1", "5 fields behind the family, wanted 4"],
    ["two spaces behind the family", "TCP4  1.2.3.4 1.2.3.4 1 1", "5 fields"],
    ["a space at the end", "TCP4 1.2.3.4 1.2.3.4 1 1 ", "5 fields"],
    ["no ports", "TCP4 1.2.3.4 1.2.3.4", "2 fields"],
    ["nothing", "TCP6 ", "1 fields"],
    ["a leading zero in an octet", "TCP4 1.2.3.04 1.2.3.4 1 1", 'source is "1.2.3.04", wanted an IPv4 address'],
    ["an octet over 255", "TCP4 1.2.3.4 1.2.3.256 1 1", 'destination is "1.2.3.256"'],
    ["three octets", "TCP4 1.2.3 1.2.3.4 1 1", 'source is "1.2.3"'],
    ["five octets", "TCP4 1.2.3.4.5 1.2.3.4 1 1", 'source is "1.2.3.4.5"'],
    ["IPv4 in TCP6", "TCP6 ::1 1.2.3.4 1 1", 'destination is "1.2.3.4", wanted an IPv6 address'],
    ["seven groups", "TCP6 1:2:3:4:5:6:7 ::1 1 1", 'source is "1:2:3:4:5:6:7"'],
    ["nine groups", "TCP6 1:2:3:4:5:6:7:8:9 ::1 1 1", "source is"],
    ["eight groups and ::", "TCP6 1:2:3:4::5:6:7:8 ::1 1 1", "source is"],
    ["two ::", "TCP6 1::2::3 ::1 1 1", "source is"],
    [":::", "TCP6 1:::2 ::1 1 1", "source is"],
    ["a group of five digits", "TCP6 10000::1 ::1 1 1", "source is"],
    ["a colon at the end", "TCP6 1:2:3:4:5:6:7: ::1 1 1", "source is"],
    ["a mapped address with a leading zero", "TCP6 ::ffff:1.2.3.04 ::1 1 1", "source is"],
  ])("FAULTS 47: %s is refused", (_, text, message) => {
    refused(bytesOf(`PROXY ${text}\r\n`), "InvalidFrame", `Cannot decode PROXY header: ${message}`)
  })

  test.each([
    ["TCP4", "PROXY TCP4 " + "1".repeat(200)],
    ["TCP6", "PROXY TCP6 " + ":".repeat(200)],
    ["UNKNOWN", "PROXY UNKNOWN " + "x".repeat(200)],
    ["UNKNOWN with a CR as byte 107", `PROXY UNKNOWN ${"x".repeat(92)}\r\n`],
  ])("FAULTS 47: a line of %s without CRLF in 107 bytes is refused at the 107th", (_, text) => {
    refused(bytesOf(text.slice(0, 107)), "FrameTooLarge", "Frame of 108 bytes exceeds the maximum of 107")
    expect(read(bytesOf(text))).toMatchObject({ _tag: "FrameTooLarge", length: 108, maximum: 107 })
  })

  test("what it has no word for is written as UNKNOWN", () => {
    expect(encodeAll(codec, [header(1, Address.unix("/a"), Address.unix("/b"))])).toEqual(bytesOf("PROXY UNKNOWN\r\n"))
    expect(encodeAll(codec, [header(1, undefined, Address.unix("/b"))])).toEqual(bytesOf("PROXY UNKNOWN\r\n"))
    expect(encodeAll(codec, [header(1)])).toEqual(bytesOf("PROXY UNKNOWN\r\n"))
  })

  test("addresses of two families are both IPv6, in the specification's grammar, which has no dots there", () => {
    const v6 = Address.tcp("2001:DB8:0::1", 2)
    const line = "PROXY TCP6 ::ffff:c000:201 2001:db8::1 1 2\r\n"
    expect(encodeAll(codec, [header(1, Address.tcp("192.0.2.1", 1), v6)])).toEqual(bytesOf(line))
    const asV6 = Address.tcp("::ffff:192.0.2.1", 1)
    expect(encodeAll(codec, [header(1, asV6, v6)])).toEqual(bytesOf(line))
    expect(encodeAll(codec, [header(1, asV6, asV6)])).toEqual(bytesOf("PROXY TCP4 192.0.2.1 192.0.2.1 1 1\r\n"))
  })

  test("a zone stays here", () => {
    const near = Address.tcp("fe80::1%eth0", 1)
    expect(encodeAll(codec, [header(1, near, near)])).toEqual(bytesOf("PROXY TCP6 fe80::1 fe80::1 1 1\r\n"))
  })
})

describe("ProxyHeader version 2", () => {
  test.each(
    [
      ["TCP over IPv4", binary(0x21, 0x11, ends), header(2, client, server)],
      [
        "TCP over IPv6",
        binary(0x21, 0x21, 0x20, 1, 0x0D, 0xB8, new Uint8Array(11), 1, new Uint8Array(15), 1, 0, 1, 255, 254),
        header(2, Address.tcp("2001:db8::1", 1), Address.tcp("::1", 65_534)),
      ],
      [
        "IPv4-mapped IPv6",
        binary(0x21, 0x21, new Uint8Array(10), 255, 255, 192, 0, 2, 1, new Uint8Array(15), 1, 0, 1, 0, 2),
        header(2, Address.tcp("192.0.2.1", 1), Address.tcp("::1", 2)),
      ],
      [
        "Unix sockets",
        binary(0x21, 0x31, unix("/run/client"), unix("/run/server")),
        header(2, Address.unix("/run/client"), Address.unix("/run/server")),
      ],
      [
        "an unnamed and an abstract Unix socket",
        binary(0x21, 0x31, unix(""), unix("\0abstract\0name")),
        header(2, undefined, Address.unix("\0abstract\0name")),
      ],
      [
        "the longest path, which no NUL ends",
        binary(0x21, 0x31, "/".repeat(108), unix("/b")),
        header(2, Address.unix("/".repeat(108)), Address.unix("/b")),
      ],
      ["UNSPEC", binary(0x21, 0x00), header(2)],
      ["UNSPEC with a TLV", binary(0x21, 0x00, tlv(2, "a")), header(2, undefined, undefined, { authority: "a" })],
      ["LOCAL", binary(0x20, 0x00), local],
    ] satisfies ReadonlyArray<readonly [string, Uint8Array, Header]>,
  )("FAULTS 47: %s is read, and written in the same bytes", (_, bytes, expected) => {
    expect(read(bytesOf(bytes, "next"))).toEqual({ header: expected, taken: bytes.length })
    expect(encodeAll(codec, [expected])).toEqual(bytes)
  })

  test("what a path ends with behind its NUL is not part of it", () => {
    const bytes = binary(0x21, 0x31, unix("/a\0rubbish"), unix("\0"))
    expect(read(bytes)).toEqual({ header: header(2, Address.unix("/a")), taken: 232 })
  })

  test.each([
    ["UDP over IPv4", 0x12, ends],
    ["UDP over IPv6", 0x22, new Uint8Array(36).fill(1)],
    ["Unix datagrams", 0x32, new Uint8Array(216).fill(0xFF)],
  ])("%s has no addresses here, but its TLVs", (_, family, block) => {
    const bytes = binary(0x21, family, block, tlv(5, "id"))
    const expected = header(2, undefined, undefined, { uniqueId: bytesOf("id") })
    expect(read(bytes)).toEqual({ header: expected, taken: bytes.length })
  })

  test.each([
    ["of addresses", 0x11, ends],
    ["of a family that does not exist", 0xFF, bytesOf("what")],
    ["that are no TLVs", 0x00, bytesOf(1, 255, 255)],
    ["with a wrong checksum", 0x11, bytesOf(ends, tlv(3, 1, 2, 3, 4))],
  ])("FAULTS 47: LOCAL skips a block %s", (_, family, block) => {
    const bytes = binary(0x20, family, block)
    expect(read(bytesOf(bytes, "next"))).toEqual({ header: local, taken: bytes.length })
    expect(read(bytes.subarray(0, -1))).toBe("more")
  })

  test("a version or command that does not exist is refused at its byte", () => {
    for (let byte = 0; byte < 256; byte++) {
      const bytes = bytesOf(signature, byte)
      if (byte === 0x20 || byte === 0x21) expect(read(bytes)).toBe("more")
      else refused(bytes, "InvalidFrame", "version and command are 0x")
    }
  })

  test("a family or protocol that does not exist, or only one of them, is refused at its byte", () => {
    const known = [0x00, 0x11, 0x12, 0x21, 0x22, 0x31, 0x32]
    for (let byte = 0; byte < 256; byte++) {
      const bytes = bytesOf(signature, 0x21, byte)
      if (known.includes(byte)) expect(read(bytes)).toBe("more")
      else refused(bytes, "InvalidFrame", "family and protocol are 0x")
    }
  })

  test("FAULTS 22: a length over the maximum is refused before its block", () => {
    refused(
      bytesOf(signature, 0x21, 0x11, 0x10, 0x01),
      "FrameTooLarge",
      "Frame of 4097 bytes exceeds the maximum of 4096",
    )
    refused(bytesOf(signature, 0x20, 0x00, 0xFF, 0xFF), "FrameTooLarge", "Frame of 65535 bytes")
    expect(read(bytesOf(signature, 0x21, 0x11, 0x10, 0x00))).toBe("more")
    const bytes = binary(0x21, 0x11, ends)
    expect(read(bytes, ProxyHeader.make({ maxLength: 12 }))).toMatchObject({ taken: bytes.length })
    expect(read(bytes, ProxyHeader.make({ maxLength: 11 }))).toMatchObject({ _tag: "FrameTooLarge" })
  })

  test.each([[0x11, 12], [0x12, 12], [0x21, 36], [0x22, 36], [0x31, 216], [0x32, 216]])(
    "FAULTS 47: a length too short for the addresses of family %d is refused before its block",
    (family, length) => {
      const message = `its length is ${length - 1}, wanted at least the ${length} of its addresses`
      refused(bytesOf(signature, 0x21, family, 0, length - 1), "InvalidLength", message)
      expect(read(bytesOf(signature, 0x21, family, 0, length))).toBe("more")
    },
  )

  test.each([
    ["only a type", bytesOf(1), "TLV 0x01 has 1 bytes, wanted 3 of its type and length"],
    ["half a length", bytesOf(1, 0), "TLV 0x01 has 2 bytes, wanted 3"],
    ["too few bytes of a value", bytesOf(1, 0, 3, 7, 7), "TLV 0x01 has 2 bytes, wanted 3 of its value"],
    ["too few behind a right one", bytesOf(4, 0, 1, 7, 0xEA, 1, 0, 7), "TLV 0xea has 1 bytes, wanted 256 of its value"],
    ["only a type within SSL", tlv(0x20, 1, 0, 0, 0, 0, 0x21), "TLV 0x21 has 1 bytes"],
    ["too few bytes of a value within SSL", tlv(0x20, 1, 0, 0, 0, 0, 0x21, 0, 1), "TLV 0x21 has 0 bytes, wanted 1"],
    ["an SSL of 4 bytes", tlv(0x20, 1, 0, 0, 0), "ssl has 4 bytes, wanted at least 5"],
    ["a checksum of 3 bytes", tlv(3, 0, 0, 0), "crc32c has 3 bytes, wanted 4"],
    ["a checksum of 5 bytes", tlv(3, 0, 0, 0, 0, 0), "crc32c has 5 bytes, wanted 4"],
    ["a unique ID of 129 bytes", tlv(5, new Uint8Array(129)), "uniqueId has 129 bytes, wanted at most 128"],
  ])("FAULTS 47: %s is an invalid length", (_, block, message) => {
    refused(binary(0x21, 0x11, ends, block), "InvalidLength", `Cannot decode PROXY header: ${message}`)
  })

  test.each([
    ["an authority that is not UTF-8", tlv(2, 0xC3), "authority is not UTF-8"],
    ["a common name that is not UTF-8", tlv(0x20, 1, 0, 0, 0, 0, tlv(0x22, 0xFF)), "cn is not UTF-8"],
    ["a namespace that is not ASCII", tlv(0x30, "é"), "netns holds byte 195, wanted US-ASCII"],
    ["a TLS version that is not ASCII", tlv(0x20, 1, 0, 0, 0, 0, tlv(0x21, 128)), "version holds byte 128"],
  ])("%s is refused, not repaired", (_, block, message) => {
    refused(binary(0x21, 0x11, ends, block), "InvalidText", message)
  })

  test("a path that is not UTF-8 is refused, not repaired", () => {
    refused(
      binary(0x21, 0x31, bytesOf("/a", 0xFF, new Uint8Array(105)), unix("/b")),
      "InvalidText",
      "source is not UTF-8",
    )
  })

  test.each([
    ["authority", tlv(2, "a"), "TLV 0x02 (authority) stands twice, wanted once"],
    ["netns", tlv(0x30, "a"), "TLV 0x30 (netns) stands twice"],
  ])("a second %s is refused: a header that says two things is not to be believed", (_, one, message) => {
    refused(binary(0x21, 0x11, ends, one, one), "InvalidFrame", message)
    refused(
      binary(0x21, 0x11, ends, tlv(0x20, 1, 0, 0, 0, 0, tlv(0x22, "a"), tlv(0x22, "a"))),
      "InvalidFrame",
      "0x22 (cn)",
    )
  })

  test("the TLVs of the specification, each as it writes it", () => {
    const bytes = binary(
      0x21,
      0x11,
      ends,
      tlv(0x04, "padding"),
      tlv(0x01, "h2"),
      tlv(0x02, "example.org"),
      tlv(0x05, 0, 255, 7),
      tlv(
        0x20,
        7,
        bytesOf(0x80, 0, 0, 2),
        tlv(0x21, "TLSv1.3"),
        tlv(0x22, "Jürgen"),
        tlv(0x23, "ECDHE-RSA-AES128-GCM-SHA256"),
        tlv(0x24, "RSA-SHA256"),
        tlv(0x25, "RSA2048"),
        tlv(0x26, "secp256r1"),
        tlv(0x27, "rsa_pss_rsae_sha256"),
        tlv(0x28, 0x30, 0x82),
        tlv(0x04, "not NOOP here"),
      ),
      tlv(0x30, "blue"),
      tlv(0xEA, 1, "vpce"),
      tlv(0xEA, 2),
      tlv(0x04),
    )
    expect(read(bytes)).toEqual({
      taken: bytes.length,
      header: header(2, client, server, {
        alpn: "h2",
        authority: "example.org",
        uniqueId: bytesOf(0, 255, 7),
        ssl: {
          client: { ssl: true, certConn: true, certSess: true },
          verify: 0x8000_0002,
          version: "TLSv1.3",
          cn: "Jürgen",
          cipher: "ECDHE-RSA-AES128-GCM-SHA256",
          sigAlg: "RSA-SHA256",
          keyAlg: "RSA2048",
          group: "secp256r1",
          sigScheme: "rsa_pss_rsae_sha256",
          clientCert: bytesOf(0x30, 0x82),
          others: [{ type: 0x04, value: bytesOf("not NOOP here") }],
        },
        netns: "blue",
        others: [{ type: 0xEA, value: bytesOf(1, "vpce") }, { type: 0xEA, value: bytesOf(2) }],
      }),
    })
  })

  test.each([[1, "ssl"], [2, "certConn"], [4, "certSess"]] as const)("bit %d of an SSL's client is %s", (bit, name) => {
    const client = { ssl: false, certConn: false, certSess: false, [name]: true }
    const bytes = binary(0x21, 0x00, tlv(0x20, bit | 0xF8, 0, 0, 0, 0))
    expect(read(bytes)).toMatchObject({ header: { tlvs: { ssl: { client, verify: 0 } } } })
    const written = encodeAll(codec, [header(2, undefined, undefined, { ssl: { client, verify: 1 } })])
    expect(written).toEqual(binary(0x21, 0x00, tlv(0x20, bit, 0, 0, 0, 1)))
  })

  test("a TLV may be long, and its text hold a BOM or any other character of its encoding", () => {
    const tlvs = {
      authority: "\ufeffa",
      ssl: tls({ clientCert: new Uint8Array(0x1_02).fill(1) }),
      netns: "\0\x7f",
      others: [{ type: 0xF8, value: new Uint8Array(0x2_01).fill(2) }],
    }
    const written = binary(
      0x21,
      0x11,
      ends,
      tlv(2, 0xEF, 0xBB, 0xBF, "a"),
      tlv(0x20, 1, 0, 0, 0, 0, tlv(0x28, tlvs.ssl.clientCert!)),
      tlv(0x30, 0, 0x7F),
      tlv(0xF8, tlvs.others[0]!.value),
    )
    expect(encodeAll(codec, [header(2, client, server, tlvs)])).toEqual(written)
    expect(read(written)).toEqual({ header: header(2, client, server, tlvs), taken: written.length })
  })

  test("as much as the maximum is written", () => {
    const most = header(2, client, server, { others: [{ type: 6, value: new Uint8Array(4096 - 12 - 3) }] })
    expect(encodeAll(codec, [most])).toHaveLength(16 + 4096)
  })

  test("NOOP may be sent as padding", () => {
    const padded = header(2, undefined, undefined, { others: [{ type: 4, value: bytesOf(0, 0) }] })
    expect(encodeAll(codec, [padded])).toEqual(binary(0x21, 0, tlv(4, 0, 0)))
  })
})

describe("ProxyHeader checksum", () => {
  // Sent by a load balancer of AWS, as go-proxyproto and others keep it: neither bytes nor sum are of our making.
  const captured = binary(
    0x21,
    0x11,
    bytesOf(172, 31, 7, 113, 172, 31, 10, 31, 0xC8, 0xF2, 0, 80),
    tlv(0x03, 0xE8, 0xD6, 0x89, 0x2D),
    tlv(0xEA, 1, "vpce-08d2bf15fac5001c9"),
    tlv(0x04, new Uint8Array(36)),
  )
  const said = header(2, Address.tcp("172.31.7.113", 51_442), Address.tcp("172.31.10.31", 80), {
    crc32c: true,
    others: [{ type: 0xEA, value: bytesOf(1, "vpce-08d2bf15fac5001c9") }],
  })

  test("that of a real load balancer is right, and computed the same", () => {
    expect(read(captured)).toEqual({ header: said, taken: 100 })
    const padding = { type: 0x04, value: new Uint8Array(36) }
    const again = { ...said, tlvs: { ...said.tlvs, others: [...said.tlvs.others!, padding] } }
    expect(encodeAll(codec, [again])).toEqual(captured)
  })

  test("RFC 3720's vectors", () => {
    expect(Crc.crc32c(new Uint8Array(32))).toBe(0x8A91_36AA)
    expect(Crc.crc32c(new Uint8Array(32).fill(0xFF))).toBe(0x62A8_AB43)
    expect(Crc.crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46DD_794E)
    expect(Crc.crc32c(Uint8Array.from({ length: 32 }, (_, i) => 31 - i))).toBe(0x113F_DB5C)
  })

  test("FAULTS 47: a wrong one is refused, wherever it stands", () => {
    const wrong = captured.slice()
    wrong[16]! ^= 1
    expect(read(wrong)).toMatchObject({ _tag: "ChecksumMismatch", expected: 0xE8D6_892D })
    refused(binary(0x21, 0x11, ends, tlv(2, "a"), tlv(3, 1, 2, 3, 4)), "ChecksumMismatch", "0x1020304")
    refused(binary(0x21, 0x00, tlv(3, 0, 0, 0, 0)), "ChecksumMismatch", "the frame declares 0x0")
  })

  test("it may stand behind other TLVs, and only once", () => {
    const block = (sum: Uint8Array) => binary(0x21, 0x11, ends, tlv(2, "a"), tlv(3, sum), tlv(4))
    const sum = Crc.crc32c(block(new Uint8Array(4)))
    const bytes = block(bytesOf(sum >>> 24, sum >>> 16 & 255, sum >>> 8 & 255, sum & 255))
    expect(read(bytes)).toMatchObject({ header: { tlvs: { crc32c: true, authority: "a" } } })

    const twice = (sum: Uint8Array) => binary(0x21, 0x11, ends, tlv(3, sum), tlv(3, 0, 0, 0, 0))
    const first = Crc.crc32c(twice(new Uint8Array(4)))
    const both = twice(bytesOf(first >>> 24, first >>> 16 & 255, first >>> 8 & 255, first & 255))
    refused(both, "InvalidFrame", "TLV 0x03 (crc32c) stands twice")
  })

  test("it is computed for each header of a turn", () => {
    const one = header(2, client, server, { crc32c: true, netns: "a" })
    const bytes = encodeAll(codec, [header(1, client, server), one, local, one])
    expect(decodeAll(codec, [bytes])).toMatchObject({ frames: [header(1, client, server), one, local, one] })
  })
})

describe("ProxyHeader: what cannot be written", () => {
  const text = Address.tcp("localhost", 1)
  const path = Address.unix("/a")

  test.each(
    [
      ["a name", header(1, text, server), "InvalidFrame", 'source is "localhost", wanted an IP address'],
      ["a name as destination", header(2, client, text), "InvalidFrame", 'destination is "localhost"'],
      [
        "a port of 65536",
        header(2, client, Address.tcp("::1", 65_536)),
        "InvalidFrame",
        "port of destination is 65536",
      ],
      ["a negative port", header(1, Address.tcp("::1", -1), client), "InvalidFrame", "port of source is -1"],
      ["half a port", header(1, Address.tcp("::1", 0.5), client), "InvalidFrame", "port of source is 0.5"],
      ["no destination", header(1, client), "InvalidFrame", "source is 192.168.0.1:56324 and destination missing"],
      [
        "no source",
        header(2, undefined, client),
        "InvalidFrame",
        "source is missing and destination 192.168.0.1:56324",
      ],
      ["IP and Unix", header(2, client, path), "InvalidFrame", "destination unix:/a, wanted two of one kind"],
      ["a path of 109 bytes", header(2, path, Address.unix("/".repeat(109))), "InvalidFrame", "destination is"],
      [
        "a path that 108 bytes cut in a character",
        header(2, Address.unix("é".repeat(55))),
        "InvalidFrame",
        "at most 108 bytes",
      ],
      ["a path with a NUL", header(2, Address.unix("/a\0b")), "InvalidFrame", 'source is "/a\\u0000b", wanted a path'],
      ["an abstract name that ends in NUL", header(2, Address.unix("\0a\0")), "InvalidFrame", "source is"],
      ["an abstract name that is empty", header(2, Address.unix("\0")), "InvalidFrame", "source is"],
      ["half a character of a path", header(2, Address.unix("\ud800")), "InvalidFrame", "source is"],
      ["LOCAL in version 1", { ...local, version: 1 }, "InvalidFrame", "version 1 has no LOCAL, wanted PROXY"],
      [
        "LOCAL with addresses",
        { ...local, source: client, destination: server },
        "InvalidFrame",
        "LOCAL has addresses",
      ],
      ["LOCAL with a checksum", { ...local, tlvs: { crc32c: true } }, "InvalidFrame", "LOCAL has addresses or TLVs"],
      [
        "TLVs in version 1",
        header(1, client, server, { netns: "" }),
        "InvalidFrame",
        "version 1 has TLVs, wanted none",
      ],
      ["an alpn over a byte", header(2, client, server, { alpn: "h€" }), "InvalidText", "alpn holds character 8364"],
      ["a netns over ASCII", header(2, client, server, { netns: "é" }), "InvalidText", "netns holds character 233"],
      ["half an authority", header(2, client, server, { authority: "\ud800" }), "InvalidText", "authority holds half"],
      [
        "a unique ID of 129 bytes",
        header(2, client, server, { uniqueId: new Uint8Array(129) }),
        "InvalidLength",
        "uniqueId has 129 bytes, wanted at most 128",
      ],
      [
        "a verify over 32 bits",
        header(2, client, server, { ssl: tls({ verify: 2 ** 32 }) }),
        "InvalidFrame",
        "ssl.verify is 4294967296, wanted 0 to 4294967295",
      ],
      ["half a verify", header(2, client, server, { ssl: tls({ verify: 0.5 }) }), "InvalidFrame", "ssl.verify is 0.5"],
      [
        "a cipher over ASCII",
        header(2, client, server, { ssl: tls({ cipher: "é" }) }),
        "InvalidText",
        "cipher holds character 233",
      ],
      [
        "a checksum of one's own",
        header(2, client, server, { others: [{ type: 3, value: new Uint8Array(4) }] }),
        "InvalidFrame",
        "TLV 0x03 is in others, wanted as crc32c",
      ],
      [
        "a type over 255",
        header(2, client, server, { others: [{ type: 256, value: new Uint8Array(4) }] }),
        "InvalidFrame",
        "the type of a TLV is 256, wanted 0 to 255",
      ],
      [
        "a negative type",
        header(2, client, server, { others: [{ type: -1, value: new Uint8Array(4) }] }),
        "InvalidFrame",
        "the type of a TLV is -1",
      ],
      [
        "half a type",
        header(2, client, server, { others: [{ type: 0.5, value: new Uint8Array(4) }] }),
        "InvalidFrame",
        "the type of a TLV is 0.5",
      ],
      [
        "more than the maximum",
        header(2, client, server, { others: [{ type: 6, value: new Uint8Array(4082) }] }),
        "FrameTooLarge",
        "Frame of 4097 bytes exceeds the maximum of 4096",
      ],
      [
        "a value over 65,535 bytes",
        header(2, client, server, { ssl: tls({ clientCert: new Uint8Array(65_536) }) }),
        "InvalidLength",
        "clientCert has 65536 bytes",
      ],
    ] satisfies ReadonlyArray<readonly [string, Header, FrameError["_tag"], string]>,
  )("%s", (_, wrong, tag, message) => {
    const good = header(1, client, server)
    const { bytes, error } = encode(codec, [good, wrong, good])
    expect(error).toMatchObject({ _tag: tag, message: expect.stringContaining(message) })
    expect(bytes).toEqual(encodeAll(codec, [good]))
  })

  test("any header that is written is read back", () => {
    // Anything at all as text, so that what cannot be carried is among it.
    const text = fc.string({ unit: "binary", maxLength: 12 })
    const anyPath = fc.oneof(text, text.map((name) => `\0${name}`), fc.constant("\0\0"))
    const anyEnd = fc.oneof(tcp, anyPath.map(Address.unix), fc.constant(undefined))
    const anyTlvs = fc.record({ alpn: text, authority: text, netns: text, ssl: fc.record({ ...fixed, cn: text }) })
    fc.assert(
      fc.property(
        fc.constantFrom(1 as const, 2 as const),
        anyEnd,
        anyEnd,
        fc.option(anyTlvs),
        (version, from, to, tlvs) => {
          const one = header(version, from, to, tlvs ?? {})
          const { bytes, error } = encode(codec, [one])
          if (error !== undefined) {
            expect(bytes).toHaveLength(0)
            return
          }
          const back = version === 1 && from?._tag !== "Tcp" ? header(1) : one
          const named = (address: Address.Address | undefined) =>
            address?._tag === "Unix" && address.path === "" ? undefined : address
          const wanted = { ...back, source: named(back.source), destination: named(back.destination) }
          expect(read(bytes)).toEqual({ header: wanted, taken: bytes.length })
        },
      ),
      { numRuns: 1000 },
    )
  })
})

const fixed = {
  client: fc.constant({ ssl: true, certConn: true, certSess: false }),
  verify: fc.constant(0),
}
