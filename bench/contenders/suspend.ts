/** The line echo as a service whose handler suspends once for each line, those of a chunk at the same time. */
import * as Lines from "../../core/codecs/Lines.ts"
import * as Service from "../../core/Service.ts"
import { later } from "./later.ts"

const service: Service.Service = Service.respond(
  Lines.make({ maxLength: 65_536 }),
  (line) => later(`echo: ${line}`),
  { concurrency: 16 },
)

export default service
