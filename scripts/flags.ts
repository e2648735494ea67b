/** The flags of a script: read strictly, and what is wrong with them is one line and exit code 2. */
import { parseArgs, type ParseArgsConfig } from "node:util"

/** The values of a script's flags; ends the process when there is one that it does not know, or that lacks its value. */
export const read = <const Options extends NonNullable<ParseArgsConfig["options"]>>(options: Options) => {
  try {
    return parseArgs({ options }).values
  } catch (error) {
    const known = Object.keys(options).map((name) => `--${name}`).join(", ")
    return refuse(`${error instanceof Error ? error.message.split(".")[0] : error}; accepted are ${known}`)
  }
}

/** Says in one line what is wrong with how a script was called, and ends the process. */
export const refuse = (message: string): never => {
  console.error(message)
  process.exit(2)
}
