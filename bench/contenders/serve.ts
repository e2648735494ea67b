/** Serves a module by Anyport as a program does that embeds it: `serve.ts MODULE`. */
import process from "node:process"
import { pathToFileURL } from "node:url"
import { start } from "../../ops/start.ts"

const { default: service } = await import(pathToFileURL(process.argv[2]!).href)
const { address } = await start(service, { address: "127.0.0.1:0", limits: { maxConnections: 20_000 } })
console.error(JSON.stringify({ message: "listening", address }))
