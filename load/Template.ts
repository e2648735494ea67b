/**
 * Messages out of a text: what stands there, with escapes, and placeholders in braces. One seed makes the same messages on
 * the same connections, whatever else happens.
 *
 * ```text
 *  {counter}     messages of this connection so far, from 0        {counter:8}     with zeros in front, 8 digits wide
 *  {connection}  number of the connection, from 0                  {connection:4}  likewise
 *  {random:16}   letters and digits, by chance                     {hex:16}        digits of base 16, by chance
 *  {int:1-1000}  a whole number, by chance
 *  {size:100}    so many letters, always the same; {size:64-4096} and {size:64*9,4096*1} as in `Sizes.ts`
 *  {{ and }}     braces
 * ```
 */
import * as Escapes from "./Escapes.ts"
import type { Messages } from "./Messages.ts"
import { isProblem, type Problem, problem } from "./Problem.ts"
import { Random } from "./Random.ts"
import * as Sizes from "./Sizes.ts"
import { Slab } from "./Slab.ts"

/** Messages, and what can be known of all of them beforehand. */
export interface Content extends Messages {
  /** The shortest message and the longest one, or all there are. What carries these in length carries every other. */
  readonly samples: ReadonlyArray<Uint8Array>
  /** Whether a placeholder may write this byte. */
  readonly mayWrite: (byte: number) => boolean
}

/** What a template has to know besides its text. */
export interface Options {
  /** A whole number. */
  readonly seed: number
}

/** Bytes of a message at most. */
export const largest: number = 16 * 1024 * 1024

/** What is accepted in braces, for messages. */
export const accepted =
  "{counter}, {counter:DIGITS}, {connection}, {connection:DIGITS}, {random:LENGTH}, {hex:LENGTH}, {int:FROM-TO} or {size:SIZES}"

/** The messages that a template says. */
export const parse = (text: string, { seed }: Options): Content | Problem => {
  const parts = partsOf(text)
  if (isProblem(parts)) return parts
  const longest = total(parts, ({ most }) => most)
  if (longest > largest) return problem(`Expected messages of at most ${largest} bytes, got one of ${longest}`)
  const constant = merge(parts)
  if (constant !== undefined) {
    return { next: () => constant, constant, samples: [constant], mayWrite: () => false }
  }
  const connections = new Map<number, State>()
  const slab = new Slab()
  const lengths: Array<number> = []
  return {
    constant: undefined,
    next(connection) {
      let state = connections.get(connection)
      if (state === undefined) connections.set(connection, state = new State(seed, connection))
      let length = 0
      for (let index = 0; index < parts.length; index++) length += lengths[index] = parts[index]!.prepare(state, index)
      const message = slab.take(length)
      for (let index = 0, at = 0; index < parts.length; index++) {
        parts[index]!.write(message, at, lengths[index]!, state, index)
        at += lengths[index]!
      }
      state.counter++
      return message
    },
    samples: [sample(parts, "least"), sample(parts, "most")],
    mayWrite: (byte) => parts.some(({ alphabet }) => alphabet.includes(byte)),
  }
}

/** What a connection has got to. */
class State {
  readonly connection: number
  readonly random: Random
  /** Of each placeholder, what it is about to write. */
  readonly values: Array<number> = []
  counter = 0

  constructor(seed: number, connection: number) {
    this.connection = connection
    this.random = new Random(seed, connection)
  }
}

/** A piece of text, or a placeholder. */
interface Part {
  readonly least: number
  readonly most: number
  /** What it may write; nothing where that is always the same. */
  readonly alphabet: Uint8Array
  /** The same bytes each time. */
  readonly constant?: Uint8Array
  /** Decides what is written next, and returns its length. */
  prepare(state: State, index: number): number
  write(out: Uint8Array, at: number, length: number, state: State, index: number): void
}

const partsOf = (text: string): ReadonlyArray<Part> | Problem => {
  const parts: Array<Part> = []
  for (let at = 0; at < text.length;) {
    const character = text[at]!
    if (character === "{" && text[at + 1] !== "{") {
      const end = text.indexOf("}", at)
      const inside = text.slice(at + 1, end === -1 ? undefined : end)
      const part = end === -1 ? undefined : placeholder(inside)
      if (part === undefined) {
        const found = end === -1 ? `no } behind the {` : `{${inside}}`
        return problem(`Expected ${accepted}, or {{ for a brace, got ${found} at character ${at + 1}`)
      }
      if (isProblem(part)) return problem(`${part.problem}, in {${inside}} at character ${at + 1}`)
      parts.push(part)
      at = end + 1
    } else if (character === "{" || character === "}") {
      if (text[at + 1] !== character) return problem(`Expected }} for a brace, got a single } at character ${at + 1}`)
      parts.push(constant(encoder.encode(character)))
      at += 2
    } else {
      let end = at
      while (end < text.length && text[end] !== "{" && text[end] !== "}") end += text[end] === "\\" ? 2 : 1
      const bytes = Escapes.bytes(text.slice(at, end), "{}", at)
      if (isProblem(bytes)) return bytes
      parts.push(constant(bytes))
      at = end
    }
  }
  return parts
}

const placeholder = (text: string): Part | Problem | undefined => {
  const [, name = "", argument] = /^([a-z]+)(?::(.*))?$/s.exec(text) ?? []
  switch (name) {
    case "counter":
    case "connection":
      return argument === undefined
        ? numbered(name, undefined)
        : withCount(argument, 15, (width) => numbered(name, width))
    case "random":
      return withCount(argument ?? "", longestRandom, (length) => characters(alphanumeric, length))
    case "hex":
      return withCount(argument ?? "", longestRandom, (length) => characters(hexadecimal, length))
    case "int":
      return integer(argument ?? "")
    case "size":
      return filler(argument ?? "")
    default:
      return undefined
  }
}

const withCount = (text: string, most: number, make: (count: number) => Part): Part | Problem => {
  const count = /^\d{1,9}$/.test(text) ? Number(text) : 0
  return count >= 1 && count <= most ? make(count) : problem(`Expected a number from 1 to ${most}`)
}

const longestRandom = 65_536

const constant = (bytes: Uint8Array): Part => ({
  least: bytes.length,
  most: bytes.length,
  alphabet: nothing,
  constant: bytes,
  prepare: () => bytes.length,
  write: (out, at) => out.set(bytes, at),
})

/** With a width it begins again at 0 when it is full. */
const numbered = (name: "counter" | "connection", width: number | undefined): Part => ({
  least: width ?? 1,
  most: width ?? 15,
  alphabet: digits,
  prepare: (state, index) => {
    const value = state.values[index] = width === undefined ? state[name] : state[name] % 10 ** width
    return width ?? digitsOf(value)
  },
  write: writeNumber,
})

const integer = (text: string): Part | Problem => {
  const [, from, to] = /^(\d{1,15})-(\d{1,15})$/.exec(text) ?? []
  const [least, most] = [Number(from), Number(to)]
  if (from === undefined || least > most) return problem("Expected two numbers such as 1-1000, the smaller first")
  return {
    least: digitsOf(least),
    most: digitsOf(most),
    alphabet: digits,
    prepare: (state, index) => digitsOf(state.values[index] = least + state.random.below(most - least + 1)),
    write: writeNumber,
  }
}

const characters = (alphabet: Uint8Array, length: number): Part => ({
  least: length,
  most: length,
  alphabet,
  prepare: () => length,
  write(out, at, length, { random }) {
    for (let index = at; index < at + length; index++) out[index] = alphabet[random.below(alphabet.length)]!
  },
})

const filler = (text: string): Part | Problem => {
  const sizes = Sizes.parse(text, largest)
  if (isProblem(sizes)) return sizes
  const letters = new Uint8Array(sizes.most)
  for (let index = 0; index < letters.length; index++) letters[index] = a + index % 26
  if (sizes.least === sizes.most) return constant(letters)
  return {
    least: sizes.least,
    most: sizes.most,
    alphabet: letters.slice(0, 26),
    prepare: ({ random }) => sizes.draw(random),
    write: (out, at, length) => out.set(letters.subarray(0, length), at),
  }
}

function writeNumber(out: Uint8Array, at: number, length: number, { values }: State, index: number): void {
  let rest = values[index]!
  for (let place = at + length - 1; place >= at; place--) {
    out[place] = zero + rest % 10
    rest = Math.floor(rest / 10)
  }
}

const digitsOf = (value: number): number => {
  let count = 1
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) count++
  return count
}

/** The bytes of parts that are all constant. */
const merge = (parts: ReadonlyArray<Part>): Uint8Array | undefined => {
  const bytes = new Uint8Array(total(parts, ({ most }) => most))
  let at = 0
  for (const { constant } of parts) {
    if (constant === undefined) return undefined
    bytes.set(constant, at)
    at += constant.length
  }
  return bytes
}

const sample = (parts: ReadonlyArray<Part>, which: "least" | "most"): Uint8Array => {
  const bytes = new Uint8Array(total(parts, (part) => part[which]))
  let at = 0
  for (const part of parts) {
    bytes.set(part.constant ?? new Uint8Array(part[which]).fill(part.alphabet[0]!), at)
    at += part[which]
  }
  return bytes
}

const total = (parts: ReadonlyArray<Part>, of: (part: Part) => number): number =>
  parts.reduce((sum, part) => sum + of(part), 0)

const encoder = new TextEncoder()
const nothing = new Uint8Array(0)
const a = 97
const zero = 48
const digits = encoder.encode("0123456789")
const hexadecimal = encoder.encode("0123456789abcdef")
const alphanumeric = encoder.encode("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
