/**
 * Where a socket is bound or connected: an IP host with a port, or the path of a Unix socket.
 *
 * Nothing here resolves names. `localhost` is the one name with a meaning of its own (see {@link loopbacks}).
 */

/** An IPv4 or IPv6 host (IPv6 without brackets, a zone id after `%`) and a port, 0 to 65535. */
export interface TcpAddress {
  readonly _tag: "Tcp"
  readonly host: string
  readonly port: number
}

/** The path of a Unix socket. A path that begins with NUL names Linux's abstract namespace. */
export interface UnixAddress {
  readonly _tag: "Unix"
  readonly path: string
}

/** Where a socket is bound or connected. */
export type Address = TcpAddress | UnixAddress

/** A TCP address. Port 0 asks the system for a free one when it is listened on. */
export const tcp = (host: string, port: number): TcpAddress => ({ _tag: "Tcp", host, port })

/** A Unix socket address. */
export const unix = (path: string): UnixAddress => ({ _tag: "Unix", path })

/**
 * The address of a peer as a runtime reports it, with IPv4-mapped IPv6 (RFC 4291 §2.5.5.2) written as the IPv4 address
 * that it is, so that a client has one name whether the listener is dual-stack or not.
 */
export const fromPeer = (host: string, port: number): TcpAddress =>
  tcp(host.startsWith("::ffff:") && host.includes(".") ? host.slice(7) : host, port)

/** `127.0.0.1:9000`, `[::1]:9000`, `unix:/run/anyport.sock`; an abstract Unix socket is written `unix:@name`. */
export const format = (address: Address): string => {
  if (address._tag === "Unix") return `unix:${address.path.replace(/^\0/, "@")}`
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`
}

/**
 * Reads what {@link format} writes. Returns undefined for anything else; the caller knows where the text came from and
 * says so.
 */
export const parse = (text: string): Address | undefined => {
  if (text.startsWith("unix:")) {
    const path = text.slice(5).replace(/^@/, "\0")
    return path === "" || path === "\0" ? undefined : unix(path)
  }
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text)
  if (match === null) return undefined
  const port = Number(match[3])
  return port > 65_535 ? undefined : tcp((match[1] ?? match[2])!, port)
}

/**
 * The addresses that listening on this one means. `localhost` is both loopbacks, IPv4 first, because clients try `::1`
 * or `127.0.0.1` first as their resolver pleases; every other address is itself. `::` is dual-stack by clause 9 of the
 * port and needs no second bind.
 */
export const loopbacks = (address: Address): readonly [Address, ...Array<Address>] =>
  address._tag === "Tcp" && address.host === "localhost"
    ? [tcp("127.0.0.1", address.port), tcp("::1", address.port)]
    : [address]

/**
 * What stands for whoever uses an address: the IPv4 address, or the IPv6 network of 64 bits that one customer usually has
 * (RFC 6177), as `2001:db8:0:0::/64`. Undefined for a Unix socket.
 */
export const networkKey = (address: Address): string | undefined => {
  if (address._tag === "Unix") return undefined
  const { host } = address
  if (!host.includes(":")) return host
  const [text, zone] = host.split("%")
  const [head, tail] = text!.split("::")
  const front = groups(head!)
  // The groups that `::` stands for, as far as they are among the first four.
  if (tail !== undefined) {
    const missing = 8 - front.length - groups(tail).length
    for (let index = 0; index < missing && front.length < 4; index++) front.push("0")
    front.push(...groups(tail))
  }
  return `${front.slice(0, 4).join(":")}::${zone === undefined ? "" : `%${zone}`}/64`
}

// An embedded IPv4 address stands for two groups, which are never among the first four.
const groups = (text: string): Array<string> =>
  text === ""
    ? []
    : text.split(":").flatMap((group) => group.includes(".") ? ["0", "0"] : [parseInt(group, 16).toString(16)])

/** Whether only this machine can connect to it: a loopback, or a Unix socket. */
export const isLocal = (address: Address): boolean =>
  address._tag === "Unix" || /^(127\.\d+\.\d+\.\d+|::1|localhost)$/.test(address.host)
