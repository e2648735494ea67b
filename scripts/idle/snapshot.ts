/**
 * What V8 keeps for each connection, by class: a heap snapshot, summed up. What has no telling name of its own (arrays,
 * closures, boxed numbers, …) is named by who holds it, a closure by where it is written.
 */
import { basename } from "node:path"
import { getHeapSnapshot } from "node:v8"

/** The objects of one class, for each connection: how many, and their own bytes. */
export interface Class {
  readonly name: string
  readonly count: number
  readonly bytes: number
}

/**
 * The classes of which there is one object for at least half of the connections, and the tables that have room for all
 * of them; the largest first. Collects garbage. Needs about ten times the heap's memory for a moment.
 */
export const classes = async (connections: number): Promise<ReadonlyArray<Class>> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of getHeapSnapshot({ exposeNumericValues: true })) chunks.push(Buffer.from(chunk))
  const graph = new Graph(JSON.parse(Buffer.concat(chunks).toString()))
  const found = new Map<string, { count: number; bytes: number }>()
  for (let node = 0; node < graph.nodes; node++) {
    const bytes = graph.size(node)
    if (bytes === 0 || ignored.has(graph.type(node))) continue
    const name = graph.label(node)
    const entry = found.get(name) ?? { count: 0, bytes: 0 }
    found.set(name, entry)
    entry.count++
    entry.bytes += bytes
  }
  return [...found]
    .map(([name, { count, bytes }]) => ({ name, count: count / connections, bytes: bytes / connections }))
    .filter(({ name, count, bytes }) => count >= 0.5 || (isTable(name) && bytes >= pointer))
    .sort((left, right) => right.bytes - left.bytes)
}

const isTable = (name: string): boolean => /^array of (Map|Set)\b/.test(name)

/** A table with room for every connection holds at least this for each. */
const pointer = 8

// Code and text belong to the program, not to a connection; what is synthetic is the snapshot's own.
const ignored: ReadonlySet<string> = new Set([
  "code",
  "concatenated string",
  "sliced string",
  "string",
  "symbol",
  "synthetic",
  "object shape",
])

/** Names that say nothing without the holder's. */
const vague: ReadonlySet<string> = new Set(["Object", "Array", "Set", "Map", "Promise", "Generator"])

/** The format that V8 calls a heap snapshot: flat arrays, described by `meta`. */
interface Snapshot {
  readonly snapshot: {
    readonly meta: {
      readonly node_fields: ReadonlyArray<string>
      readonly node_types: readonly [ReadonlyArray<string>]
      readonly edge_types: readonly [ReadonlyArray<string>]
      readonly location_fields: ReadonlyArray<string>
    }
  }
  readonly nodes: ReadonlyArray<number>
  readonly edges: ReadonlyArray<number>
  readonly locations: ReadonlyArray<number>
  readonly strings: ReadonlyArray<string>
}

const edgeWidth = 3 // type, name or index, target

class Graph {
  readonly nodes: number
  readonly #raw: Snapshot
  readonly #width: number
  readonly #type: number
  readonly #name: number
  readonly #size: number
  /** Where the edges of each node begin. */
  readonly #first: Uint32Array
  /** The edge by which each node is first reached from the roots, and whose it is; -1 for none. */
  readonly #edge: Int32Array
  readonly #holder: Int32Array
  /** The line on which a closure is written, from 0. */
  readonly #lines = new Map<number, number>()

  constructor(raw: Snapshot) {
    const { nodes, locations, snapshot: { meta: { node_fields, location_fields } } } = raw
    this.#raw = raw
    this.#width = node_fields.length
    this.nodes = nodes.length / this.#width
    this.#type = node_fields.indexOf("type")
    this.#name = node_fields.indexOf("name")
    this.#size = node_fields.indexOf("self_size")
    const edgeCount = node_fields.indexOf("edge_count")
    this.#first = new Uint32Array(this.nodes + 1)
    for (let node = 0; node < this.nodes; node++) {
      this.#first[node + 1] = this.#first[node]! + nodes[node * this.#width + edgeCount]! * edgeWidth
    }
    const [object, line] = [location_fields.indexOf("object_index"), location_fields.indexOf("line")]
    for (let at = 0; at < locations.length; at += location_fields.length) {
      this.#lines.set(locations[at + object]! / this.#width, locations[at + line]!)
    }
    this.#edge = new Int32Array(this.nodes).fill(-1)
    this.#holder = new Int32Array(this.nodes).fill(-1)
    this.#reach()
  }

  type(node: number): string {
    return this.#raw.snapshot.meta.node_types[0][this.#raw.nodes[node * this.#width + this.#type]!]!
  }

  size(node: number): number {
    return this.#raw.nodes[node * this.#width + this.#size]!
  }

  /** What a reader would call it. */
  label(node: number, depth = 0): string {
    const own = this.#nameOf(node)
    const type = this.type(node)
    if (type === "closure") return `function ${own}${own === "" ? "" : " "}at ${this.#place(node)}`
    const holder = this.#holder[node]!
    const telling = type === "object" && !own.startsWith("system") && !vague.has(own)
    if (telling || depth === 3 || holder === -1 || this.type(holder) === "synthetic") return own
    const held = this.#edgeName(this.#edge[node]!)
    const of = this.label(holder, depth + 1)
    return `${own === "" ? type : own} of ${of}${/^\d/.test(held) ? "[]" : `.${held}`}`
  }

  #nameOf(node: number): string {
    return this.#raw.strings[this.#raw.nodes[node * this.#width + this.#name]!]!
  }

  #place(node: number): string {
    const shared = this.#child(node, "shared")
    const script = shared === undefined ? undefined : this.#child(shared, "script")
    const file = script === undefined ? "unknown" : basename(this.#nameOf(script))
    return `${file}:${(this.#lines.get(node) ?? -1) + 1}`
  }

  #child(node: number, name: string): number | undefined {
    for (let edge = this.#first[node]!; edge < this.#first[node + 1]!; edge += edgeWidth) {
      if (this.#edgeName(edge) === name) return this.#target(edge)
    }
    return undefined
  }

  #edgeType(edge: number): string {
    return this.#raw.snapshot.meta.edge_types[0][this.#raw.edges[edge]!]!
  }

  /** A number where the edge has no name. */
  #edgeName(edge: number): string {
    const name = this.#raw.edges[edge + 1]!
    return ["element", "hidden"].includes(this.#edgeType(edge)) ? String(name) : this.#raw.strings[name]!
  }

  #target(edge: number): number {
    return this.#raw.edges[edge + 2]! / this.#width
  }

  /** Breadth first, so that everything is held by whoever is nearest to the roots. */
  #reach(): void {
    const queue = [0]
    this.#holder[0] = 0
    for (let index = 0; index < queue.length; index++) {
      const from = queue[index]!
      for (let edge = this.#first[from]!; edge < this.#first[from + 1]!; edge += edgeWidth) {
        const to = this.#target(edge)
        if (this.#holder[to] !== -1 || this.#edgeType(edge) === "weak") continue
        this.#holder[to] = from
        this.#edge[to] = edge
        queue.push(to)
      }
    }
  }
}
