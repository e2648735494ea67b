/**
 * What a run is against: `tcp://host:port`, `unix:path`, `ws://host:port/path`.
 */
import type { Address } from "../core/Address.ts"

/** A server. */
export interface Target {
  /** As it is written in a result. */
  readonly url: string
  /** Where bytes go. */
  readonly address: Address
  /** The URL of a WebSocket server, which is spoken to in messages; undefined where it is a stream of bytes. */
  readonly webSocket: string | undefined
}
