/**
 * What is sent: made beforehand where every message is the same, else one by one. The same seed makes the same messages.
 */

/** The messages of a run. */
export interface Messages {
  /** The next message of a connection, counted from 0. Lent until the next call. */
  next(connection: number): Uint8Array
  /** Every message is this one. */
  readonly constant: Uint8Array | undefined
}

/** The same message each time. */
export const constant = (message: Uint8Array): Messages => ({ next: () => message, constant: message })
