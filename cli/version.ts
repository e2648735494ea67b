/** The version of Anyport. A constant, so that the one file needs no manifest beside it; the gate compares them. */
export const version: string = "0.1.0"
