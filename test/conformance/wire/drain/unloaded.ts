/** A module that waits for something first, which does not come. Says when it begins to. */
import echo from "../../../../services/echo.ts"

console.log("waiting")
await new Promise((resolve) => setTimeout(resolve, 3_600_000))

export default echo
