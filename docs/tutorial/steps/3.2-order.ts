import { Lines, Service } from "anyport"
import { start } from "anyport/start"
import { exchange } from "./client.ts"

const lines = Lines.make({ maxLength: 80 })

/** Answers `first` only once `second` has been seen. Without concurrency it would wait for ever. */
const reply = (line: string, { state }: { readonly state: Gate }): string | Promise<string> => {
  if (line === "first") return state.passed.then(() => "first")
  state.open()
  return line
}

interface Gate {
  readonly open: () => void
  readonly passed: Promise<void>
}

const gate = (): Gate => {
  let open = (): void => {}
  const passed = new Promise<void>((resolve) => open = resolve)
  return { open, passed }
}

for (const order of ["request", "completion"] as const) {
  const server = await start(Service.plain(lines, reply, { concurrency: 2, order, open: gate }), {
    address: "127.0.0.1:0",
  })
  const answers = await exchange(server.address, "first\nsecond\n")
  console.log(`order of ${order}: ${answers.trim().replace("\n", ", ")}`)
  await server.drain()
}
