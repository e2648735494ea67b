/**
 * Prints what the adapter of the runtime that runs this says it can do, and whether the descriptor limit can be read, as
 * one line of JSON. On Deno without any permission.
 */
import * as Effect from "effect/Effect"
import { layer } from "../../adapters/auto.ts"
import { Sockets } from "../../core/Sockets.ts"
import * as Descriptors from "../../ops/descriptors.ts"

const { capabilities } = await Effect.runPromise(Effect.provide(Sockets, layer))
console.log(JSON.stringify({ capabilities, descriptorLimit: Descriptors.read() !== undefined }))
