/** Framings: what is on the wire, where replies end, and what does not fit. */
import { describe, expect, it } from "vitest"
import { ByteBuffer } from "../../core/ByteBuffer.ts"
import { ByteWriter } from "../../core/ByteWriter.ts"
import type { Codec } from "../../core/Codec.ts"
import * as Beat from "../../load/Beat.ts"
import * as Expectation from "../../load/Expectation.ts"
import * as Fit from "../../load/Fit.ts"
import * as Framing from "../../load/Framing.ts"
import * as Hello from "../../load/Hello.ts"
import * as MessageFile from "../../load/MessageFile.ts"
import { isProblem, type Problem } from "../../load/Problem.ts"
import * as Sources from "../../load/Sources.ts"
import * as Target from "../../load/Target.ts"
import * as Template from "../../load/Template.ts"

const ok = <A>(value: A | Problem): A => {
  if (isProblem(value)) throw new Error(value.problem)
  return value
}
const tcp = ok(Target.parse("tcp://127.0.0.1:9000"))
const ws = ok(Target.parse("ws://127.0.0.1:9000/"))
const bytes = (text: string) => Uint8Array.from(text, (one) => one.charCodeAt(0))
const text = (bytes: Uint8Array) => String.fromCharCode(...bytes)

/** The two halves of one connection: what it sends, and what it makes of bytes that arrive, chunk by chunk. */
const connection = (codec: Codec<Uint8Array, Uint8Array>) => {
  const [decoder, encoder, input] = [codec.decoder(), codec.encoder(), new ByteBuffer()]
  return {
    send(...frames: ReadonlyArray<string>): string {
      const writer = new ByteWriter()
      const error = encoder.encode(frames.map(bytes), writer)
      return error?.message ?? text(writer.bytes.subarray(0, writer.length))
    },
    receive(chunk: string): ReadonlyArray<string> {
      const found: Array<Uint8Array> = []
      input.append(bytes(chunk))
      const all: Array<string> = []
      do {
        found.length = 0
        const error = decoder.decode(input, found, 2)
        all.push(...found.map(text), ...error === undefined ? [] : [error.message])
        if (error !== undefined) break
      } while (found.length > 0)
      input.own()
      return all
    },
  }
}

describe("a framing", () => {
  it.each([
    [undefined, "a\nbb\n"],
    ["lines", "a\nbb\n"],
    ["lines:CRLF", "a\r\nbb\r\n"],
    ["delimited:\\0", "a\0bb\0"],
    ["delimited:\\r\\n\\r\\n", "a\r\n\r\nbb\r\n\r\n"],
    ["delimited:::", "a::bb::"],
    ["length:1", "\x01a\x02bb"],
    ["length:2", "\0\x01a\0\x02bb"],
    ["length:2:le", "\x01\0a\x02\0bb"],
    ["length:3", "\0\0\x01a\0\0\x02bb"],
    ["length:4:be", "\0\0\0\x01a\0\0\0\x02bb"],
    ["length:8:le", `\x01${"\0".repeat(7)}a\x02${"\0".repeat(7)}bb`],
    ["varint", "\x01a\x02bb"],
    ["netstring", "1:a,2:bb,"],
  ])("%s writes and reads %j", (name, wire) => {
    const one = connection(ok(Framing.parse(name, tcp)).codec())
    expect(one.send("a", "bb")).toBe(wire)
    expect([...wire].flatMap((byte) => one.receive(byte))).toEqual(["a", "bb"])
  })

  it("fixed has frames of one length", () => {
    const one = connection(ok(Framing.parse("fixed:3", tcp)).codec())
    expect(one.send("abc", "def")).toBe("abcdef")
    expect(one.receive("abcdefg")).toEqual(["abc", "def"])
  })

  it("raw takes each chunk as a reply", () => {
    const one = connection(ok(Framing.parse("raw", tcp)).codec())
    expect(one.send("ab", "c")).toBe("abc")
    expect([one.receive("x"), one.receive("yz")]).toEqual([["x"], ["yz"]])
  })

  it("raw with a length counts the bytes of replies, and not of requests", () => {
    const one = connection(ok(Framing.parse("raw:3", tcp)).codec())
    expect(one.send("ab", "c")).toBe("abc")
    expect([one.receive("wx"), one.receive("yz12"), one.receive("345")]).toEqual([[], ["wxy", "z12"], ["345"]])
  })

  it("raw tells echoes by the length of what was sent, in order, on each connection by itself", () => {
    const framing = ok(Framing.parse("raw", tcp, { expect: ok(Expectation.parse("echo:>")) }))
    const [one, other] = [connection(framing.codec()), connection(framing.codec())]
    expect(one.send("ab", "c", "d", "efg")).toBe("abcdefg")
    expect(other.send("x")).toBe("x")
    expect(one.receive(">ab>c>")).toEqual([">ab", ">c"])
    expect(other.receive(">x")).toEqual([">x"])
    expect(one.receive("d>efg")).toEqual([">d", ">efg"])
    // Nobody asked for more.
    expect(one.receive("more")).toEqual(["more"])
    for (let count = 0; count < 5_000; count++) one.send("a".repeat(1 + count % 3))
    expect(one.receive(Array.from({ length: 5_000 }, (_, count) => ">" + "a".repeat(1 + count % 3)).join("")))
      .toHaveLength(5_000)
  })

  it.each([
    ["text", "\x01\0\0\0\x02hi"],
    ["binary", "\x02\0\0\0\x02hi"],
    [undefined, "\x01\0\0\0\x02hi"],
  ])("%s are a WebSocket's messages, with their kind for its transport", (name, frame) => {
    const one = connection(ok(Framing.parse(name, ws)).codec())
    expect(one.send("hi")).toBe(frame)
    expect(one.receive("\x02\0\0\0\x01a\x01\0\0\0\x01b")).toEqual(["a", "b"])
  })

  it.each([
    ["", "got nothing"],
    ["line", "Expected lines, lines:crlf"],
    ["lines:lf", "got lines:lf"],
    ["length", "got length"],
    ["length:5", "got length:5"],
    ["length:2:xe", "got length:2:xe"],
    ["varint:2", "got varint:2"],
    ["netstring:", "got netstring:"],
    ["fixed:0", "got fixed:0"],
    ["fixed", "got fixed"],
    ["raw:x", "got raw:x"],
    ["delimited:", "got nothing"],
    ["delimited:\\q", "\\q at character 1"],
    ["text", "got text"],
  ])("%j is none of a stream of bytes", (name, why) => {
    const found = Framing.parse(name, tcp)
    expect(isProblem(found) && found.problem).toContain(why)
  })

  it("of bytes is none of a WebSocket", () => {
    const found = Framing.parse("lines", ws)
    expect(isProblem(found) && found.problem).toContain("Expected text or binary")
  })

  it.each([0, 1.5, NaN, 16 * 1024 * 1024 + 1])("has a largest frame that can be, not %d", (maxFrame) => {
    const found = Framing.parse("lines", tcp, { maxFrame })
    expect(isProblem(found) && found.problem).toContain("1 to 16777216")
  })

  it.each(["lines", "delimited:;", "length:4", "varint", "netstring"])("%s ends at the largest frame", (name) => {
    const framing = ok(Framing.parse(name, tcp, { maxFrame: 8 }))
    const honest = connection(ok(Framing.parse(name, tcp)).codec())
    expect(connection(framing.codec()).receive(honest.send("123456789"))[0]).toContain("exceeds the maximum of 8")
    expect(framing.refuses(bytes("123456789"))).toContain("exceeds the maximum of 8")
    expect(framing.refuses(bytes("12345678"))).toBe(undefined)
  })
})

interface Given {
  readonly target?: Target.Target
  readonly framing?: string
  readonly message?: string
  readonly file?: string
  readonly hello?: readonly [string, string?]
  readonly beat?: string
  readonly expect?: string
  readonly sources?: string
  readonly mode?: Fit.Parts["mode"]
  readonly inFlight?: number
  readonly maxFrame?: number
}

const fit = (given: Given): string | undefined => {
  const target = given.target ?? tcp
  const expect = ok(Expectation.parse(given.expect ?? "any"))
  const maxFrame = given.maxFrame === undefined ? {} : { maxFrame: given.maxFrame }
  const framing = ok(Framing.parse(given.framing, target, { expect, ...maxFrame }))
  return Fit.problemOf({
    target,
    framing,
    content: given.file === undefined
      ? ok(Template.parse(given.message ?? "hi", { seed: 1 }))
      : ok(MessageFile.parse(bytes(given.file), framing)),
    expect,
    hello: given.hello === undefined ? undefined : ok(Hello.parse(...given.hello)),
    beat: given.beat === undefined ? undefined : ok(Beat.parse(given.beat)),
    sources: given.sources === undefined ? [] : ok(Sources.parse(given.sources)),
    mode: given.mode ?? "closed",
    inFlight: given.inFlight ?? 1,
  })
}

describe("a plan", () => {
  it.each<[Given]>([
    [{}],
    [{ message: "a{random:8}\\r" }],
    [{ framing: "fixed:6", message: "{counter:6}" }],
    [{ framing: "fixed:2", message: "a{int:1-9}", expect: "echo" }],
    [{ framing: "delimited:\\0", message: "a\\nb{random:8}" }],
    [{ framing: "length:1", message: "{size:0-255}" }],
    [{ framing: "raw", expect: "echo", inFlight: 16 }],
    [{ framing: "raw", expect: "none", mode: "flood", inFlight: 16 }],
    [{ framing: "raw:2", inFlight: 16, beat: "1s=P:OK", hello: ["x", "OK"] }],
    [{ framing: "netstring", file: "a\nb" }],
    [{ target: ws, message: "\\xc3\\xa9" }],
    [{ target: ws, framing: "binary", message: "\\xff" }],
  ])("fits: %j", (given) => expect(fit(given)).toBe(undefined))

  it.each<[Given, string]>([
    [{ message: "a\\nb" }, "The message does not fit --framing lines: Cannot encode line"],
    [{ message: "a\\n{random:4}" }, "holds a line feed"],
    [{ hello: ["a\\nb"] }, "The hello does not fit"],
    [{ hello: ["a", "b\\n"] }, "The answer to the hello does not fit"],
    [{ beat: "1s=a\\nb" }, "The heartbeat does not fit"],
    [{ beat: "1s=a:b\\n" }, "The answer to the heartbeat does not fit"],
    [{ framing: "fixed:6", message: "{counter}" }, "it has 1 bytes, wanted 6"],
    [{ framing: "fixed:1", message: "{counter}" }, "it has 15 bytes, wanted 1"],
    [{ framing: "fixed:2", expect: "echo:x" }, "The echo with its prefix does not fit"],
    [{ framing: "length:1", message: "{size:0-256}" }, "256 bytes exceeds the maximum of 255"],
    [{ message: "12345", maxFrame: 4 }, "exceeds the maximum of 4"],
    [{ framing: "delimited:a", message: "{hex:4}" }, "a placeholder may write what ends a frame"],
    [{ framing: "delimited:--", message: "a-{size:0-1}-" }, "holds its own delimiter"],
    [{ framing: "delimited:--", expect: "prefix:a--" }, "The expected prefix does not fit"],
    [{ framing: "raw", inFlight: 2 }, "takes what arrives together for one reply"],
    [{ framing: "raw", mode: "flood" }, "takes what arrives together for one reply"],
    [{ framing: "raw", message: "" }, "it is empty"],
    [{ framing: "raw", expect: "echo", hello: ["a"] }, "tells an echo by its length"],
    [{ framing: "raw:3", beat: "1s=P:OK" }, "wants answers of 3 bytes, also to a hello or a heartbeat, got 2"],
    [{ target: ws, message: "\\xff" }, "it is not UTF-8; choose binary"],
    [{ sources: "::1" }, "127.0.0.1 is IPv4, and cannot be connected to from ::1"],
    [{ framing: "fixed:3", file: "ab" }, "it has 2 bytes, wanted 3"],
  ])("does not fit: %j", (given, why) => expect(fit(given)).toContain(why))
})
