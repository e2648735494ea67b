/**
 * Which `Host` a request may name. A page of a stranger's can make a browser ask any address by giving it a name of its
 * own (DNS rebinding), and that name is then what the browser sends; an address, or `localhost`, it cannot have given.
 */
import { isIP } from "node:net"

/** Whether a `Host` header names an address, or `localhost`, with any port or none. */
export const trusted = (host: string | undefined): boolean => {
  const [, bracketed, name] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d{1,5})?$/.exec(host ?? "") ?? []
  return bracketed === undefined ? isIP(name ?? "") === 4 || name?.toLowerCase() === "localhost" : isIP(bracketed) === 6
}
