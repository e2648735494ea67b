/** The thread of a {@link Steady} client. It pauses between requests: it is there to measure, not to be a load. */
import { setTimeout as sleep } from "node:timers/promises"
import { parentPort, workerData } from "node:worker_threads"
import { connect } from "../conformance/wire/client.ts"
import type { Figures } from "./Steady.ts"

/** Between an answer and the next request, in milliseconds. */
const pause = 5

const { port, host } = workerData as { readonly port: number; readonly host: string } // what Steady gives it

let waits: Array<number> = []
let wanted = 0
parentPort!.on("message", () => wanted++)

const at = (share: number): number => waits[Math.min(waits.length - 1, Math.floor(share * waits.length))] ?? 0

const tell = (failure?: string): void => {
  for (; wanted > 0; wanted--) {
    waits.sort((left, right) => left - right)
    const figures = { answers: waits.length, p50: at(0.5), p99: at(0.99), max: at(1) }
    parentPort!.postMessage((failure === undefined ? figures : { ...figures, failure }) satisfies Figures)
    waits = []
  }
}

try {
  const client = await connect(port, host)
  for (let count = 0;; count++) {
    const asked = performance.now()
    const answer = await client.ask(`steady ${count}`)
    waits.push(performance.now() - asked)
    if (answer !== `echo: steady ${count}`) throw new Error(`Answer ${count} is ${JSON.stringify(answer)}`)
    tell()
    await sleep(pause)
  }
} catch (error) {
  const failure = error instanceof Error ? error.message : String(error)
  tell(failure)
  parentPort!.on("message", () => tell(failure))
}
