/** How the clients talk that are there all the time. */

/** Between an answer and the next line, in milliseconds, on average. */
export const pause = 50

/** For how long they talk undisturbed, before and after, in milliseconds. */
export const calm = 500
