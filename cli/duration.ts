/**
 * Durations on the command line.
 */
export { parse } from "../core/Duration.ts"
