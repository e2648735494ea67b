/** A case of the proof: what clients do to a server, and what is lost by that. It knows no runtime. */
import type { Server } from "./Server.ts"

/** `"ok"`, or what was lost, in a few words with a figure. */
export type Verdict = string

/** One row of the matrix. */
export interface Case {
  /** What `--only` and the results call it. */
  readonly name: string
  /** What it does and asks for, in the matrix. */
  readonly title: string
  /** The most file descriptors that the server gets. Default: as many as this process has. */
  readonly descriptors?: number
  /** Whether it ends the server, and judges how that went. Default false: a server that ends has died. */
  readonly ends?: boolean
  /** Bounded in time whatever the server does. Rejects when the server cannot be reached or has gone. */
  readonly run: (server: Server) => Promise<Verdict>
}
