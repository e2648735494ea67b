import { Lines, Service } from "anyport"

export default Service.plain(Lines.make({ maxLength: 65_536 }), (line) => `echo: ${line}`)
