/** The TCP sockets of this machine as Linux lists them, also those that no process has any more. */
import { readFileSync } from "node:fs"

/** One end of a connection, by both ports. */
export interface End {
  readonly local: number
  readonly remote: number
}

const codes = { CLOSE_WAIT: "08", TIME_WAIT: "06" }

/** All ends of connections that are in a state. */
export const endsIn = (state: keyof typeof codes): ReadonlyArray<End> =>
  // `sl local_address rem_address st …`, where an address is `HEX:PORT`.
  ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((path) =>
    text(path).split("\n").slice(1, -1).map((line) => line.trim().split(/ +/)).flatMap(([, local, remote, code]) =>
      code === codes[state] ? [{ local: portOf(local!), remote: portOf(remote!) }] : []
    )
  )

const portOf = (address: string): number => Number.parseInt(address.slice(address.indexOf(":") + 1), 16)

// Without IPv6 there is no second table.
const text = (path: string): string => {
  try {
    return readFileSync(path, "latin1")
  } catch {
    return ""
  }
}
