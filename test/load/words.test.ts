/** The small words of the command line: expectations, hellos and heartbeats. */
import { describe, expect, it } from "vitest"
import * as Beat from "../../load/Beat.ts"
import * as Expectation from "../../load/Expectation.ts"
import * as Hello from "../../load/Hello.ts"
import { isProblem } from "../../load/Problem.ts"

const bytes = (text: string) => Uint8Array.from(text, (one) => one.charCodeAt(0))

describe("an expectation", () => {
  it.each([
    ["any", { _tag: "Any" }],
    ["none", { _tag: "None" }],
    ["echo", { _tag: "Echo", prefix: bytes("") }],
    ["echo:ECHO: \\x01", { _tag: "Echo", prefix: bytes("ECHO: \x01") }],
    ["prefix:OK:", { _tag: "Prefix", prefix: bytes("OK:") }],
    ["regex:/^o:k$/i", { _tag: "Matches", pattern: /^o:k$/i }],
    ["regex:^\\d+$", { _tag: "Matches", pattern: /^\d+$/ }],
  ])("%s", (text, expectation) => expect(Expectation.parse(text)).toEqual(expectation))

  it.each([
    ["", "Expected echo, echo:PREFIX, prefix:TEXT, regex:/PATTERN/, any or none, got nothing"],
    ["ok", "got ok"],
    ["any:x", "got any:x"],
    ["prefix", "got prefix"],
    ["prefix:", "write any for whatever comes"],
    ["prefix:\\q", "\\q at character 1"],
    ["regex:", "got regex:"],
    ["regex:/(/", "Expected a regular expression"],
    ["regex:/a/g", "flags of i, m, s, u and v"],
  ])("%j is none, and it is said why", (text, why) => {
    const found = Expectation.parse(text)
    expect(isProblem(found) && found.problem).toContain(why)
  })
})

it("a hello is a text and its answer, with escapes and without placeholders", () => {
  expect(Hello.parse("LOGIN a=b {x}\\0", "O\\tK")).toEqual({ send: bytes("LOGIN a=b {x}\0"), expect: bytes("O\tK") })
  expect(Hello.parse("x")).toEqual({ send: bytes("x"), expect: undefined })
  for (const found of [Hello.parse("\\q"), Hello.parse("x", "\\q")]) expect(isProblem(found)).toBe(true)
})

describe("a heartbeat", () => {
  it.each([
    ["30s=PING:PONG", { every: 30_000, send: bytes("PING"), answer: bytes("PONG") }],
    ["100ms=PING", { every: 100, send: bytes("PING"), answer: undefined }],
    ["1m=a\\:b=\\n:c:d", { every: 60_000, send: bytes("a:b=\n"), answer: bytes("c:d") }],
  ])("%s", (text, beat) => expect(Beat.parse(text)).toEqual(beat))

  it.each([
    ["", "such as 30s=PING:PONG, got nothing"],
    ["PING:PONG", "such as 30s=PING:PONG"],
    ["off=PING", "such as 30s=PING:PONG"],
    ["1ms=PING", "every 10ms to 24h"],
    ["25h=PING", "every 10ms to 24h"],
    ["1s=", "something to send"],
    ["1s=:PONG", "something to send"],
    ["1s=PING:", "or no colon"],
    ["1s=a:\\q", "\\q at character 6"],
  ])("%j is none, and it is said why", (text, why) => {
    const found = Beat.parse(text)
    expect(isProblem(found) && found.problem).toContain(why)
  })
})
