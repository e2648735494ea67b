/**
 * Text from outside (targets, messages of systems and servers) where people read it.
 */

/** Without what moves a cursor, rings a bell, breaks a line or turns the direction of reading. */
export const printable = (text: string): string => text.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, "?")
