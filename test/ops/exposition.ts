/**
 * A strict reader of Prometheus's text format 0.0.4, for tests: whatever a scraper may stumble over is an error. It knows
 * what the format says, and the conventions that `promtool check metrics` checks; nothing of what is counted.
 */

/** The values by series, as they are written: `name{label="value"}`. Throws at the first thing that is wrong. */
export const parse = (text: string): ReadonlyMap<string, number> => {
  if (!text.endsWith("\n")) throw new Error("The last line has no end")
  const values = new Map<string, number>()
  const types = new Map<string, string>()
  let helped: string | undefined
  let current: string | undefined
  for (const line of text.slice(0, -1).split("\n")) {
    const fail = (why: string): never => {
      throw new Error(`${why}: ${line}`)
    }
    const [, keyword, name = "", rest = ""] = /^# (HELP|TYPE) ([a-z_][a-z0-9_]*) (.+)$/.exec(line) ?? []
    if (keyword === "HELP") {
      if (types.has(name)) fail("A family comes twice")
      if (!/^(?:[^\\]|\\[\\n])*$/.test(rest)) fail("A backslash is not escaped")
      helped = name
    } else if (keyword === "TYPE") {
      if (helped !== name) fail("The TYPE does not follow its HELP")
      if (rest !== "counter" && rest !== "gauge") fail("Unknown type")
      if ((rest === "counter") !== name.endsWith("_total")) fail("Counters, and only these, end in _total")
      types.set(name, rest)
      current = name
    } else {
      const match = /^([a-z_][a-z0-9_]*)(\{.*\})? (\S+)$/.exec(line) ?? fail("No sample")
      const [, sample, labels = "", value = ""] = match
      if (sample !== current) fail("A sample outside its family")
      if (
        labels !== "" && !/^\{[a-z_]\w*="(?:[^"\\]|\\["\\n])*"(?:,[a-z_]\w*="(?:[^"\\]|\\["\\n])*")*\}$/.test(labels)
      ) {
        fail("Labels that cannot be read")
      }
      if (values.has(sample + labels)) fail("A series comes twice")
      const number = value === "+Inf" ? Infinity : value === "-Inf" ? -Infinity : Number(value)
      if (Number.isNaN(number)) fail("No number")
      if (types.get(sample!) === "counter" && number < 0) fail("A counter below 0")
      values.set(sample + labels, number)
    }
  }
  return values
}
