/**
 * What came of an attack, as text for a terminal and as JSON.
 */
import type { Histogram } from "hdr-histogram-js"
import { remedy } from "../Remedy.ts"
import * as Units from "../Units.ts"
import { attacks, type HostileOutcome } from "./Hostile.ts"

/** The text of an outcome. It ends with a line break. */
export const summary = (url: string, outcome: HostileOutcome): string => {
  const { mode, took, connections, failures, endings, lifetime, bytesSent, bytesReceived, decent, cut } = outcome
  const { total } = decent
  const ended = ([
    ["ended by the server", endings.finished],
    ["reset by the server", endings.reset],
    ["failed", endings.failed],
    ["gone by themselves", endings.left],
    ["there to the end", endings.survived],
  ] as const).filter(([, count]) => count > 0).map(([what, count]) => `${Units.count(count)} ${what}`)
  const lines = [
    `${url}  ${mode}: each ${attacks[mode].what}`,
    "",
    `hostile      ${Units.count(connections)} connections in ${Units.time(took)}${cut ? ", ended early" : ""}: ${
      ended.join(", ") || "none"
    }`,
    ...lifetime.totalCount === 0 ? [] : [`ended after  ${percentiles(lifetime)}`],
    `bytes        ${Units.bytes(bytesSent)} sent, ${Units.bytes(bytesReceived)} received`,
    ...errors(failures),
    "",
    `decent       ${Units.count(total.replies)} of ${Units.count(decent.scheduled ?? total.sent)} requests answered`,
    ...total.response.totalCount === 0 ? [] : [`answered in  ${percentiles(total.response)}`],
    ...errors(total.failures),
  ]
  return lines.map((line) => `${line}\n`).join("")
}

/** What `--json` writes. Times in microseconds, `took` in milliseconds. */
export const json = (url: string, outcome: HostileOutcome): string => {
  const { failures, lifetime, decent, ...rest } = outcome
  return `${
    JSON.stringify(
      {
        format: "anyport-hostile-result",
        version: 1,
        target: url,
        ...rest,
        failures: Object.fromEntries(failures),
        lifetime: figures(lifetime),
        decent: {
          scheduled: decent.scheduled,
          replies: decent.total.replies,
          failures: Object.fromEntries(decent.total.failures),
          response: figures(decent.total.response),
        },
      },
      undefined,
      2,
    )
  }\n`
}

const errors = (failures: HostileOutcome["failures"]): ReadonlyArray<string> =>
  [...failures].map(([kind, count]) => `  ${kind}, ${Units.count(count)} times: ${remedy(kind).meaning}`)

const percentiles = (histogram: Histogram): string =>
  ([50, 99] as const).map((share) => `p${share} ${Units.latency(histogram.getValueAtPercentile(share))}`)
    .concat(`max ${Units.latency(histogram.maxValue)}`).join("  ")

const figures = (histogram: Histogram) => ({
  count: histogram.totalCount,
  ...histogram.totalCount === 0 ? {} : {
    p50: histogram.getValueAtPercentile(50),
    p99: histogram.getValueAtPercentile(99),
    max: histogram.maxValue,
  },
})
