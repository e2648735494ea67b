/**
 * The two cyclic redundancy checks of 32 bits that protocols use (https://reveng.sourceforge.io/crc-catalogue/). They
 * find damage; they do not prove who sent something.
 */

/** CRC-32/ISO-HDLC, of Ethernet, gzip, zip and PNG: 0xCBF43926 for `123456789`. */
export const crc32 = (bytes: Uint8Array): number => crc(ethernet, bytes)

/** CRC-32/ISCSI (Castagnoli), of iSCSI, SCTP, Kafka and ext4: 0xE3069283 for `123456789`. */
export const crc32c = (bytes: Uint8Array): number => crc(castagnoli, bytes)

const crc = (table: Int32Array, bytes: Uint8Array): number => {
  let value = -1
  for (let i = 0; i < bytes.length; i++) value = table[(value ^ bytes[i]!) & 255]! ^ (value >>> 8)
  return ~value >>> 0
}

const tableOf = (polynomial: number): Int32Array =>
  Int32Array.from({ length: 256 }, (_, byte) => {
    let value = byte
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? polynomial ^ (value >>> 1) : value >>> 1
    return value
  })

// Both polynomials with their bits reversed, as these checks shift to the right.
const ethernet = tableOf(0xEDB8_8320)
const castagnoli = tableOf(0x82F6_3B78)
