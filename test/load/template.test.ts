/** Templates and files of messages: what they make, that a seed decides it, and what is wrong with them. */
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as MessageFile from "../../load/MessageFile.ts"
import { isProblem } from "../../load/Problem.ts"
import * as Template from "../../load/Template.ts"

const made = (text: string, seed = 1): Template.Content => {
  const content = Template.parse(text, { seed })
  if (isProblem(content)) throw new Error(content.problem)
  return content
}
const latin = (bytes: Uint8Array) => String.fromCharCode(...bytes)
const some = (content: Template.Content, count: number, connection = 0): ReadonlyArray<string> =>
  Array.from({ length: count }, () => latin(content.next(connection)))

describe("a template", () => {
  it.each([
    ["", ""],
    ["GET x", "GET x"],
    ["a\\n\\r\\t\\0\\\\\\x41\\xfF\\{\\}", "a\n\r\t\0\\A\xff{}"],
    ['{{"id":{{}}}}', '{"id":{}}'],
    ["é", "\xc3\xa9"],
    ["a{size:5}b", "aabcdeb"],
    ["{size:28}", "abcdefghijklmnopqrstuvwxyzab"],
  ])("%j is always the same message", (text, message) => {
    const { constant, next, samples } = made(text)
    expect([constant, next(3), ...samples].map((one) => one && latin(one))).toEqual([message, message, message])
  })

  it("counts the messages of each connection, and knows its number", () => {
    const content = made("{connection}:{counter}/{counter:3}/{connection:2}")
    expect(content.constant).toBe(undefined)
    expect(some(content, 2, 12)).toEqual(["12:0/000/12", "12:1/001/12"])
    expect(some(content, 11, 100).at(-1)).toBe("100:10/010/00")
    expect(some(content, 1, 12)).toEqual(["12:2/002/12"])
  })

  it("begins a count again that has no room", () => {
    expect(some(made("{counter:1}"), 12).join("")).toBe("012345678901")
  })

  it("writes by chance what was asked for", () => {
    const content = made("{random:16} {hex:8} {int:7-12} {size:1*9,40-41*1}")
    const messages = some(content, 2_000)
    const parts = messages.map((message) => {
      expect(message).toMatch(/^[A-Za-z0-9]{16} [0-9a-f]{8} (7|8|9|10|11|12) ([a-z]|[a-z]{40,41})$/)
      return message.split(" ")
    })
    expect(new Set(parts.map(([random]) => random)).size).toBe(2_000)
    expect([...new Set(parts.map(([, , int]) => int))].sort()).toEqual(["10", "11", "12", "7", "8", "9"])
    // One of ten; ten standard deviations are far.
    const long = parts.filter(([, , , size]) => size!.length > 1).length
    expect(long).toBeGreaterThan(70)
    expect(long).toBeLessThan(330)
    expect(new Set(parts.map(([, , , size]) => size!.length))).toEqual(new Set([1, 40, 41]))
  })

  it("makes the same messages for the same seed and connection, whatever other connections do", () => {
    const text = "{random:12}{int:0-999999}{size:0-9}"
    const [one, other] = [made(text, 42), made(text, 42)]
    const expected = [some(one, 50, 0), some(one, 50, 1)]
    const interleaved: [Array<string>, Array<string>] = [[], []]
    for (let count = 0; count < 50; count++) {
      for (const each of [1, 0] as const) interleaved[each].push(latin(other.next(each)))
    }
    expect(interleaved).toEqual(expected)
    expect(expected[0]).not.toEqual(expected[1])
    expect(some(made(text, 43), 50, 0)).not.toEqual(expected[0])
    expect(some(made(text, 42 + 2 ** 32), 50, 0)).not.toEqual(expected[0])
  })

  it("gives each message memory of its own", () => {
    const content = made("{counter:5}{size:0-30000}")
    const messages = Array.from({ length: 100 }, () => content.next(0))
    expect(messages.map((message) => latin(message.subarray(0, 5)))).toEqual(
      Array.from({ length: 100 }, (_, index) => String(index).padStart(5, "0")),
    )
  })

  it("has samples that are its shortest and its longest message, and says what it may write", () => {
    fc.assert(fc.property(
      fc.array(
        fc.constantFrom(
          "a",
          "{counter:3}",
          "{connection}",
          "{random:4}",
          "{hex:2}",
          "{int:5-5000}",
          "{size:0*3,7}",
          "{{",
        ),
        { minLength: 1, maxLength: 6 },
      ),
      fc.integer(),
      (parts, seed) => {
        const content = made(parts.join(""), Math.abs(seed))
        const fixed = new Set(["a", "{"].filter((one) => parts.join("").includes(one)).map((one) => one.charCodeAt(0)))
        for (const message of [0, 1, 2].map((connection) => content.next(connection))) {
          const lengths = content.samples.map(({ length }) => length)
          expect(message.length).toBeGreaterThanOrEqual(lengths[0]!)
          expect(message.length).toBeLessThanOrEqual(lengths.at(-1)!)
          for (const byte of message) expect(content.mayWrite(byte) || fixed.has(byte)).toBe(true)
        }
      },
    ))
  })

  it.each([
    ["{conter}", "got {conter} at character 1"],
    ["ab{", "got no } behind the { at character 3"],
    ["a}b", "single } at character 2"],
    ['{"id":1}', 'or {{ for a brace, got {"id":1} at character 1'],
    ["{random}", "a number from 1 to 65536, in {random} at character 1"],
    ["{random:65537}", "1 to 65536"],
    ["{counter:0}", "1 to 15"],
    ["{int:5-1}", "the smaller first"],
    ["{int:5}", "such as 1-1000"],
    ["{size:a}", "sizes such as"],
    ["{size:5-1}", "from the smaller to the larger"],
    ["{size:1*0}", "sizes such as"],
    ["{size:99999999}", "at most 16777216 bytes, got 99999999"],
    ["{size:16777216}x", "at most 16777216 bytes, got one of 16777217"],
    ["ab\\q", "got \\q at character 3"],
    ["{counter}\\xg0", "got \\x at character 10"],
    ["a\\", "a lone \\ at character 2"],
  ])("%j is none, and it is said where and why", (text, why) => {
    const found = Template.parse(text, { seed: 1 })
    expect(isProblem(found) && found.problem).toContain(why)
  })
})

describe("a file of messages", () => {
  const bytes = (text: string) => Uint8Array.from(text, (one) => one.charCodeAt(0))
  const parsed = (text: string, name: string) => {
    const content = MessageFile.parse(bytes(text), { name })
    if (isProblem(content)) throw new Error(content.problem)
    return content
  }

  it("has a message a line where lines are sent, by turns, and each connection begins with another", () => {
    const content = parsed("a{counter}\r\nb\\n\n\nc", "lines")
    expect(some(content, 5)).toEqual(["a{counter}", "b\\n", "", "c", "a{counter}"])
    expect(some(content, 2, 2)).toEqual(["", "c"])
    expect(some(content, 1, 5)).toEqual(["b\\n"])
    expect(content.samples.map(latin)).toEqual(["a{counter}", "b\\n", "", "c"])
  })

  it("has no empty message behind its last line feed", () => {
    expect(latin(parsed("a\n", "lines:crlf").constant!)).toBe("a")
  })

  it("is one message where none ends with a line", () => {
    expect(latin(parsed("a\nb\n", "length:4").constant!)).toBe("a\nb\n")
  })

  it("is refused when it is empty or endless", () => {
    for (const name of ["lines", "raw"]) expect(isProblem(MessageFile.parse(bytes(""), { name }))).toBe(true)
    expect(isProblem(MessageFile.parse(new Uint8Array(1_000_001).fill(10), { name: "lines" }))).toBe(true)
    expect(isProblem(MessageFile.parse(new Uint8Array(Template.largest + 1), { name: "raw" }))).toBe(true)
  })
})
