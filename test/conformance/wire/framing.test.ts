/**
 * Frames over the wire, however the bytes are cut or broken: an independent client speaks to the codecs through each
 * runtime's sockets. Numbers: d5 are behaviours that were found broken in some runtime's sockets, F are faults.
 */
import { Buffer } from "node:buffer"
import { crc32 } from "node:zlib"
import { expect, it } from "vitest"
import type { Client } from "./client.ts"
import { onEveryRuntime } from "./harness.ts"
import { LineTraffic } from "./LineTraffic.ts"

/** Sends `bytes` in two segments for each place to cut them: behind something whose answer shows that it was read. */
const cutEverywhere = async (
  bytes: Uint8Array,
  client: Client,
  greeting: Uint8Array,
  greeted: () => Promise<unknown>,
  answered: () => Promise<unknown>,
): Promise<void> => {
  for (let cut = 0; cut <= bytes.length; cut++) {
    await client.send(Buffer.concat([greeting, bytes.subarray(0, cut)]))
    await greeted()
    if (cut < bytes.length) await client.send(bytes.subarray(cut))
    await answered()
  }
}

/** A message of the `typed` service, as its documentation has it. */
const message = (text: string, { magic = 0xca, version = 1, damage = 0 } = {}): Buffer => {
  const content = Buffer.concat([Buffer.of(magic, version), Buffer.from(text)])
  const frame = Buffer.alloc(2 + content.length + 4)
  frame.writeUInt16BE(content.length + 4, 0)
  content.copy(frame, 2)
  frame.writeUInt32BE((crc32(content) ^ damage) >>> 0, 2 + content.length)
  return frame
}

/** The text of the next message from there. */
const readMessage = async (client: Client): Promise<string> => {
  const body = await client.receive((await client.receive(2)).readUInt16BE(0))
  const content = body.subarray(0, -4)
  expect(body.readUInt32BE(content.length)).toBe(crc32(content))
  expect([...content.subarray(0, 2)]).toEqual([0xca, 1])
  return content.toString("utf8", 2)
}

onEveryRuntime((fixture) => {
  it("10,000 lines of every length from 0 to the maximum, in random splits, come back whole and in order", async () => {
    const traffic = new LineTraffic(Math.floor(Math.random() * 2 ** 31), 10_000, 65_536)
    const client = await fixture().connect("echo")
    const checked = traffic.check(client)
    for (const piece of traffic.pieces()) {
      if (client.ending !== undefined) break
      await client.send(piece)
    }
    client.finish()
    await checked
    expect(await fixture().closed("echo", client)).toMatchObject({ reason: "peer_closed", framesReceived: 10_000 })
  }, 60_000)

  it("d5-17, F16: text of 3 and 4 bytes a character, cut at every byte, is whole", async () => {
    const text = "汉字 and 😀, 龍𠜎"
    const client = await fixture().connect("lines")
    await cutEverywhere(
      Buffer.from(`${text}\n`),
      client,
      Buffer.from("hello\n"),
      async () => expect(await client.line()).toBe("echo: hello"),
      async () => expect(await client.line()).toBe(`echo: ${text}`),
    )
  })

  it("F16: a length-prefixed message cut at every byte is whole", async () => {
    const text = "checked 校验"
    const client = await fixture().connect("typed")
    await cutEverywhere(
      message(text),
      client,
      message("hello"),
      async () => expect(await readMessage(client)).toBe("hello"),
      async () => expect(await readMessage(client)).toBe(text),
    )
  })

  it("d5-18, F14: 10,000 writes of one byte are answered right, with no more writes than there were reads", async () => {
    const before = await fixture().service("lines")
    const client = await fixture().connect("lines")
    const bytes = Buffer.from("abc\n".repeat(2_500))
    for (const byte of bytes) void client.send(Buffer.of(byte))
    client.finish()
    expect((await client.rest()).toString()).toBe("echo: abc\n".repeat(2_500))
    const after = await fixture().service("lines")
    expect(after.writes - before.writes).toBeLessThanOrEqual(after.chunks - before.chunks)
  })

  it("d5-18, F15: 64 KiB of 16-byte frames in one segment are answered in order, in few writes", async () => {
    const before = await fixture().service("lines")
    const client = await fixture().connect("lines")
    const lines = Array.from({ length: 4_096 }, (_, index) => String(index).padStart(15, "0"))
    await client.send(`${lines.join("\n")}\n`)
    client.finish()
    expect((await client.rest()).toString()).toBe(lines.map((line) => `echo: ${line}\n`).join(""))
    const after = await fixture().service("lines")
    // A turn takes up to 1,024 frames; a kernel may cut the segment, and take a write in parts.
    expect(after.writes - before.writes).toBeLessThan(4_096 / 32)
  })

  it("F15: another client is served while one sends megabytes of small frames", async () => {
    const busy = await fixture().connect("lines")
    const other = await fixture().connect("lines")
    const count = 262_144
    const all = Buffer.from("123456789abcdef\n".repeat(count))
    void busy.send(all)
    busy.finish()
    let served = 0
    while (busy.ending === undefined) {
      expect(await other.ask("hello")).toBe("echo: hello")
      if (busy.ending === undefined) served++
    }
    expect((await busy.rest()).length).toBe(count * 22)
    expect(served).toBeGreaterThan(1)
  })

  it("F17: FIN within a line is a truncated frame, of which the handler sees nothing", async () => {
    const client = await fixture().connect("lines")
    await client.send("whole\npart")
    client.finish()
    expect((await client.rest()).toString()).toBe("echo: whole\n")
    expect(client.ending).toBe("fin")
    expect(await fixture().closed("lines", client)).toMatchObject({ reason: "truncated_frame", framesReceived: 1 })
  })

  it("F17: FIN within a length-prefixed message, at every byte of it, is a truncated frame", async () => {
    const whole = message("cut")
    for (let cut = 1; cut < whole.length; cut++) {
      const client = await fixture().connect("typed")
      await client.send(Buffer.concat([message("first"), whole.subarray(0, cut)]))
      client.finish()
      expect(await readMessage(client)).toBe("first")
      expect(await client.ended()).toBe("fin")
      expect(await fixture().closed("typed", client)).toMatchObject({ reason: "truncated_frame", framesReceived: 1 })
    }
  })

  it("the built-in echo also answers a last line without LF", async () => {
    const client = await fixture().connect("echo")
    await client.send("one\ntwo")
    client.finish()
    expect((await client.rest()).toString()).toBe("echo: one\necho: two\n")
    expect(await fixture().closed("echo", client)).toMatchObject({ reason: "peer_closed", framesReceived: 2 })
  })

  it("F25: CRLF ends a line like LF; a lone CR, NUL and BOM are content", async () => {
    const client = await fixture().connect("lines")
    for (
      const [sent, wanted] of [
        ["crlf\r", "crlf"],
        ["lone\rcr", "lone\rcr"],
        ["nul\0nul", "nul\0nul"],
        ["\ufeffbom", "\ufeffbom"],
        ["\r", ""],
        ["", ""],
        ["plain", "plain"],
      ]
    ) {
      await client.send(`${sent}\n`)
      expect(await client.line()).toBe(`echo: ${wanted}`)
    }
  })

  it("F26: bytes that are not UTF-8 are replaced within their line, and the next line is right", async () => {
    const client = await fixture().connect("lines")
    for (
      const [name, bytes] of Object.entries({
        "a stray continuation": [0x80],
        "bytes that are never used": [0xff, 0xfe, 0xf8],
        "an overlong slash": [0xc0, 0xaf],
        "an overlong NUL": [0xe0, 0x80, 0x80],
        "a lone high surrogate": [0xed, 0xa0, 0x80],
        "a lone low surrogate": [0xed, 0xbf, 0xbf],
        "a pair of surrogates": [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80],
        "beyond U+10FFFF": [0xf4, 0x90, 0x80, 0x80],
        "three of four bytes, then LF": [0xf0, 0x9f, 0x98],
        "a cut one among others": [0x61, 0xe6, 0xb1, 0x62],
      })
    ) {
      await client.send(Buffer.from([...bytes, 10, ...Buffer.from("next 下\n")]))
      expect(await client.line(), name).toBe(`echo: ${new TextDecoder().decode(Uint8Array.from(bytes))}`)
      expect(await client.line(), name).toBe("echo: next 下")
    }
  })

  it("F26: a service that refuses them says so, with the answers before it, and closes", async () => {
    const client = await fixture().connect("text")
    await client.send(Buffer.from([...Buffer.from("fine\n"), 0xc0, 0xaf, 10, ...Buffer.from("never seen\n")]))
    expect((await client.rest()).toString()).toBe("echo: fine\nInvalidText\n")
    client.finish()
    expect(await fixture().closed("text", client)).toMatchObject({ reason: "decode_failed", framesReceived: 1 })
  })

  for (
    const [name, bytes, reply] of [
      ["a wrong checksum", message("text", { damage: 1 }), "ChecksumMismatch: Checksum is 0x"],
      ["a wrong magic", message("text", { magic: 0x12 }), "InvalidFrame: Magic is 18, wanted 202"],
      ["a wrong version", message("text", { version: 7 }), "InvalidFrame: Version is 7, wanted 1"],
      ["a message too short for its checksum", Buffer.of(0, 3, 1, 2, 3), "InvalidFrame: Frame of 3 bytes is too short"],
      ["a length over the maximum", Buffer.of(0xff, 0xff), "FrameTooLarge: Frame of 65535 bytes exceeds"],
    ] as const
  ) {
    it(`F33: ${name} is answered with what is wrong, behind the answers before it, and ends as decode_failed`, async () => {
      const client = await fixture().connect("typed")
      await client.send(Buffer.concat([message("before"), bytes, message("never seen")]))
      expect(await readMessage(client)).toBe("before")
      expect(await readMessage(client)).toContain(reply)
      expect((await client.rest()).length).toBe(0)
      expect(client.ending).toBe("fin")
      client.finish()
      const closed = await fixture().closed("typed", client)
      expect(closed).toMatchObject({ reason: "decode_failed", framesReceived: 1 })
      expect(reply).toContain(closed.detail?.slice(0, 10))
    })
  }
})
