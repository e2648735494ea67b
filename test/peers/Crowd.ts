/** Many clients at once, and how each of them fared. They stay until they are told to leave. */
import { setTimeout as sleep } from "node:timers/promises"
import type { Client } from "../conformance/wire/client.ts"

/**
 * Served: its line was answered. Refused: it could not connect, or its connection was ended before a byte came. Waiting:
 * neither, until the crowd's patience ended. Wronged: anything else.
 */
export type Fate = "served" | "refused" | "waiting" | "wronged"

/** One of a crowd. */
export interface Member {
  readonly fate: Fate
  readonly client?: Client
}

/** A crowd whose fates are known. */
export class Crowd {
  readonly members: ReadonlyArray<Member>

  constructor(members: ReadonlyArray<Member>) {
    this.members = members
  }

  /** Connects all in one tick of this process; each sends a line as soon as it can, and waits so many milliseconds. */
  static async rush(count: number, open: () => Promise<Client>, patience: number): Promise<Crowd> {
    const over = sleep(patience, "waiting" as const)
    return new Crowd(
      await Promise.all(Array.from({ length: count }, (_, index) => enter(open, `member ${index}`, over))),
    )
  }

  count(fate: Fate): number {
    return this.members.filter((one) => one.fate === fate).length
  }

  /** Those that were served. */
  get served(): ReadonlyArray<Client> {
    return this.members.flatMap(({ fate, client }) => fate === "served" && client !== undefined ? [client] : [])
  }

  /** All go, without a word. */
  leave(): void {
    for (const { client } of this.members) client?.socket.destroy()
  }
}

const enter = async (open: () => Promise<Client>, line: string, over: Promise<"waiting">): Promise<Member> => {
  const opened = open().then((client) => ({ client }), () => ({ fate: "refused" as const }))
  const member = await Promise.race([opened, over])
  if (member === "waiting") {
    void opened.then((late) => "client" in late && late.client.socket.destroy())
    return { fate: member }
  }
  if ("fate" in member) return member
  const { client } = member
  const answered = client.ask(line).then(
    (answer) => answer === `echo: ${line}` ? "served" : "wronged",
    () => client.received === 0 ? "refused" : "wronged",
  )
  return { client, fate: await Promise.race([answered, over]) }
}
