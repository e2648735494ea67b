/**
 * The PROXY protocol, versions 1 and 2: the header with which a proxy says for whom it connects
 * (https://github.com/haproxy/haproxy/blob/master/doc/proxy-protocol.txt, sections 2.1 and 2.2). A header is a frame.
 * Who may send one, by when, and whether there must be one is not decided here: the receiver knows that from its
 * configuration and never guesses.
 *
 * ```text
 * version 1: a line of at most 107 bytes, one space between its fields
 *  family      addresses                      ports        0D 0A
 * +-----------+------------------------------+------------+------+
 * | PROXY TCP4 192.168.0.1     192.168.0.11    56324 443  | CRLF |
 * | PROXY TCP6 2001:db8::1     2001:db8::b     56324 443  | CRLF |
 * | PROXY UNKNOWN and, behind a space, anything           | CRLF |   which is ignored
 * +-------------------------------------------------------+------+
 *
 * version 2: 16 bytes and a block
 *  12                                     4 bits 4 bits         4 bits  4 bits    2, big
 * +-------------------------------------+---------+-----------+--------+---------+--------+
 * | 0D 0A 0D 0A 00 0D 0A 51 55 49 54 0A | version | command   | family | protocol| length |
 * |                                     | 2       | 0 LOCAL   | 0 UNSPEC, 1 IPv4 |        |
 * |                                     |         | 1 PROXY   | 2 IPv6, 3 Unix   |        |
 * +-------------------------------------+---------+-----------+------------------+--------+
 *  4 + 4, 16 + 16 or 108 + 108   2 + 2, big              the rest of length
 * +----------------------------+-----------------------+------------------------+
 * | source and destination     | their ports, of IP    | TLVs                   |
 * +----------------------------+-----------------------+------------------------+
 * ```
 *
 * A connection has one header, and something else behind it, so its receiver asks for one frame:
 *
 * ```ts
 * error = decoder.decode(input, headers, 1) // neither an error nor a header: more bytes are needed
 * ```
 *
 * What cannot become a header is refused at the first byte that shows it; only what addresses and ports of version 1
 * say is read no earlier than CRLF has come, as the specification demands. Where that leaves a choice or is not clear:
 *
 * - The block of a LOCAL header is discarded unread, whatever is in it, a checksum included.
 * - A datagram client is taken as an unspecified one: no addresses, but TLVs.
 * - Family and protocol are both unspecified or neither is. Else nobody could say where the TLVs begin: refused.
 * - A CR or LF alone is refused in `PROXY UNKNOWN` as well: a sender that ends lines so would lose what it sends next.
 * - A TLV that has a name here stands once. Text in another encoding than the specification names is refused and not
 *   repaired, so that two names never become one.
 * - A client has one name: an IPv4-mapped IPv6 address is that IPv4 address, and hosts read as RFC 5952 writes them.
 *   Version 1 may write `::ffff:192.0.2.1`, as `inet_ntop` and with it HAProxy do.
 */
import * as Result from "effect/Result"
import type { Address } from "../Address.ts"
import type { Codec } from "../Codec.ts"
import * as ProxyBinary from "./internal/ProxyBinary.ts"
import * as ProxyLine from "./internal/ProxyLine.ts"
import * as Limits from "./Limits.ts"

/** What a PROXY header says of the connection that it stands in front of. */
export interface ProxyHeader {
  /** 1 is the line of text, 2 the binary header. */
  readonly version: 1 | 2
  /**
   * `PROXY`: for a client. `LOCAL`, of version 2 only: for the proxy itself, to check health, and there are neither
   * addresses nor TLVs. HAProxy sends it as well for a client that has no IP address.
   */
  readonly command: "PROXY" | "LOCAL"
  /**
   * The client. Undefined when the proxy does not say (UNKNOWN, UNSPEC, LOCAL, a datagram client), and for a Unix
   * socket without a name, as a client's usually is; then the connection's own peer is all there is.
   */
  readonly source: Address | undefined
  /** What the client connected to; undefined as `source` is. */
  readonly destination: Address | undefined
  /** What else the proxy says; version 1 has nothing. */
  readonly tlvs: Tlvs
}

/** A value of a type: 0 to 255, of which 0xE0 to 0xEF are for applications and 0xF0 to 0xF7 for experiments. */
export interface Tlv {
  readonly type: number
  readonly value: Uint8Array
}

/** The TLVs of a header; what is absent was not sent. NOOP is not shown. */
export interface Tlvs {
  /** 0x03: the header carries a checksum (CRC32c). A received one is right; one to send is computed. */
  readonly crc32c?: true
  /** 0x01: the protocol that TLS agreed on (`h2`), a character a byte, as it need not be text. */
  readonly alpn?: string
  /** 0x02: the host name that the client asked for, in TLS its SNI. */
  readonly authority?: string
  /** 0x05: what the proxy calls this connection, at most 128 bytes. */
  readonly uniqueId?: Uint8Array
  /** 0x20: how the client connected to the proxy by TLS. */
  readonly ssl?: Ssl
  /** 0x30: the name of the network namespace. */
  readonly netns?: string
  /** All of other types, in their order. */
  readonly others?: ReadonlyArray<Tlv>
}

/** What a proxy that ends TLS says of it. */
export interface Ssl {
  readonly client: {
    /** The client connected over TLS. */
    readonly ssl: boolean
    /** It presented a certificate on this connection. */
    readonly certConn: boolean
    /** It presented one at least once in the TLS session that this connection belongs to. */
    readonly certSess: boolean
  }
  /**
   * 0 when the client's certificate was verified, else why not, as the proxy's TLS library numbers it. It means nothing
   * unless `certConn` or `certSess`: HAProxy sends 0 as well when there was no certificate.
   */
  readonly verify: number
  /** 0x21: `TLSv1.3`. */
  readonly version?: string
  /** 0x22: the Common Name of the client's certificate. */
  readonly cn?: string
  /** 0x23: `ECDHE-RSA-AES128-GCM-SHA256`. */
  readonly cipher?: string
  /** 0x24: what the proxy's own certificate is signed with: `RSA-SHA256`. */
  readonly sigAlg?: string
  /** 0x25: the key of the proxy's own certificate: `RSA2048`. */
  readonly keyAlg?: string
  /** 0x26: the key exchange: `secp256r1`. */
  readonly group?: string
  /** 0x27: what the handshake was signed with: `rsa_pss_rsae_sha256`. */
  readonly sigScheme?: string
  /** 0x28: the client's certificate, DER. */
  readonly clientCert?: Uint8Array
  /** All of other types, in their order. */
  readonly others?: ReadonlyArray<Tlv>
}

/** How headers are read and written. */
export interface Options {
  /**
   * Bytes of a version 2 header behind its first 16, at most, received and sent; up to 65,535. The specification means
   * the whole header to fit one segment of 536 bytes, but a client's certificate (1 to 2 KiB) does not. Default 4096.
   */
  readonly maxLength?: number
}

/** What {@link Options} leave out. */
export const defaults: Required<Options> = { maxLength: 4096 }

/**
 * PROXY headers. Over `maxLength`, or a line over 107 bytes, is a `FrameTooLarge`; a declared length that does not fit
 * what it counts an `InvalidLength`; a wrong checksum a `ChecksumMismatch`; text that is not in its encoding an
 * `InvalidText`; all else that is not a header an `InvalidFrame`. Throws a RangeError when an option cannot be.
 *
 * Two IP addresses of different families are written as IPv6, the other one IPv4-mapped; a zone is left out. Version 1
 * writes what it has no word for (Unix sockets) as UNKNOWN. What a header cannot carry is refused, never left out: one
 * IP address without the other, TLVs in version 1, addresses or TLVs in LOCAL. Whoever has no IP addresses to send does
 * well to send LOCAL: HAProxy does, and 2.6 resets a connection that begins with PROXY and has none in version 2.
 */
export const make = (options: Options = {}): Codec<ProxyHeader, ProxyHeader> => {
  const maxLength = Limits.wholeNumber("ProxyHeader", "maxLength", options.maxLength ?? defaults.maxLength, 0, 65_535)
  return {
    decoder: () => ({
      decode(input, out, limit) {
        for (let count = 0; count < limit && input.length > 0; count++) {
          const header = input.bytes[input.start] === ProxyLine.first
            ? ProxyLine.decode(input)
            : ProxyBinary.decode(input, maxLength)
          if (header === undefined) break
          if (Result.isFailure(header)) return header.failure
          out.push(header.success)
        }
        return undefined
      },
      end: () => undefined,
    }),
    encoder: () => ({
      encode(headers, output) {
        for (const header of headers) {
          const bytes = header.version === 1 ? ProxyLine.encode(header) : ProxyBinary.encode(header, maxLength)
          if (Result.isFailure(bytes)) return bytes.failure
          output.raw(bytes.success)
        }
        return undefined
      },
    }),
  }
}
