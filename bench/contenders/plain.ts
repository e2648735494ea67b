/** The line echo as a service whose handler is a plain function. */
import * as Lines from "../../core/codecs/Lines.ts"
import * as Service from "../../core/Service.ts"

const service: Service.Service = Service.plain(Lines.make({ maxLength: 65_536 }), (line) => `echo: ${line}`)

export default service
