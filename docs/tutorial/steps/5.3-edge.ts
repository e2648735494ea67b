import { Lines, Service } from "anyport"

/** Judges each reading of a device by those before it. It asks nobody: the way to the centre may be cut. */
export default Service.plain(
  Lines.make({ maxLength: 32 }),
  (line, { state: seen }) => {
    const reading = Number.parseFloat(line)
    if (Number.isNaN(reading)) throw new Service.InvalidInput({ reply: "error: wanted is a number" })
    const usual = seen.reduce((sum, one) => sum + one, 0) / seen.length // of none NaN, which nothing is far from
    if (Math.abs(reading - usual) > 5) return `alarm: usual is ${usual.toFixed(1)}`
    seen.push(reading)
    if (seen.length > 10) seen.shift() // memory of a connection has a bound
    return "ok"
  },
  { open: (): Array<number> => [] },
)
