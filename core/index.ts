/**
 * Anyport: one TCP server for Node, Bun and Deno. A service is a codec and a handler; a layer of `anyport/node`,
 * `anyport/bun`, `anyport/deno` or `anyport/auto` runs it over that runtime's own sockets.
 *
 * @module
 */
export * as Address from "./Address.ts"
export { ByteBuffer } from "./ByteBuffer.ts"
export { ByteWriter } from "./ByteWriter.ts"
export * as Client from "./Client.ts"
export * as CloseReason from "./CloseReason.ts"
export * as Codec from "./Codec.ts"
export * as Directory from "./Directory.ts"
export * as Delimited from "./codecs/Delimited.ts"
export * as FixedLength from "./codecs/FixedLength.ts"
export * as LengthPrefixed from "./codecs/LengthPrefixed.ts"
export * as Lines from "./codecs/Lines.ts"
export * as Login from "./Login.ts"
export * as Netstring from "./codecs/Netstring.ts"
export * as ProxyHeader from "./codecs/ProxyHeader.ts"
export * as Raw from "./codecs/Raw.ts"
export * as VarintPrefixed from "./codecs/VarintPrefixed.ts"
export type { DrainPhase, DrainReport, DrainStep } from "./DrainReport.ts"
export type { Counters, Event, Observer } from "./Event.ts"
export * as Server from "./Server.ts"
export * as Service from "./Service.ts"
export * as Sockets from "./Sockets.ts"
export * as Transfer from "./Transfer.ts"
