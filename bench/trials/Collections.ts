/**
 * What a runtime writes about its collections of garbage, read: by how much the heap rose between two of them is what the
 * program has allocated meanwhile. Pure.
 */
import type { RuntimeName } from "../Result.ts"
import type { LaunchOptions } from "../Contenders.ts"

/** A collection: bytes of the heap before and after it, and how long the program stood still, in seconds. */
export interface Collection {
  readonly before: number
  readonly after: number
  readonly pause: number
}

/** What makes a runtime write about them. */
export const tracing: Record<RuntimeName, LaunchOptions> = {
  node: { flags: ["--trace-gc"] },
  bun: { env: { BUN_JSC_logGC: "1" } },
  deno: { flags: ["--v8-flags=--trace-gc"] },
}

/** The collections in a text, in order. */
export const parse = (runtime: RuntimeName, text: string): ReadonlyArray<Collection> =>
  runtime === "bun" ? ofJavaScriptCore(text) : ofV8(text)

// [7:0x1]  330 ms: Scavenge 21.1 (30.1) -> 19.2 (46.4) MB, pooled: 0 MB, 43.97 / 0.00 ms (average mu = …
const v8 =
  /\d+ ms: [A-Z][\w\s()-]*? ([\d.]+) \([\d.]+\) -> ([\d.]+) \([\d.]+\) MB, (?:pooled: [\d.]+ MB, )?([\d.]+) \//g

const ofV8 = (text: string): ReadonlyArray<Collection> =>
  [...text.matchAll(v8)].map(([, before, after, pause]) => ({
    before: Number(before) * 2 ** 20,
    after: Number(after) * 2 ** 20,
    pause: Number(pause) / 1_000,
  }))

// […: START M 9033kb => EdenCollection, … p=6.572603ms (max 6.572603)...]  and in another line, or the same,
// … => 10565kb, p=1.399033ms (max 6.572603), cycle 20.586372ms END]
const javaScriptCore = /START M (\d+)kb => ([\s\S]*?) => (\d+)kb, p=([\d.]+)ms[^\n]*? END\]/g

const ofJavaScriptCore = (text: string): ReadonlyArray<Collection> =>
  [...text.matchAll(javaScriptCore)].map(([, before, parts = "", after, last]) => ({
    before: Number(before) * 1_024,
    after: Number(after) * 1_024,
    pause: [...parts.matchAll(/ p=([\d.]+)ms/g)].reduce((sum, [, pause]) => sum + Number(pause), Number(last)) / 1_000,
  }))

/** Bytes that were allocated while those were made: as many rises as there are collections; undefined for fewer than two. */
export const allocated = (collections: ReadonlyArray<Collection>): number | undefined => {
  if (collections.length < 2) return undefined
  let rises = 0
  for (let index = 1; index < collections.length; index++) {
    rises += Math.max(0, collections[index]!.before - collections[index - 1]!.after)
  }
  // Of what came before the first one nothing is known but that it was about as much.
  return rises * collections.length / (collections.length - 1)
}
