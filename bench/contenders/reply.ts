/** What every contender answers to a line. */
export const reply = (line: string): string => `echo: ${line}\n`
