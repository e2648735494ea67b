/**
 * Prometheus's text format, version 0.0.4: families in, text out. Nothing here knows what is counted.
 */

/** One metric with all its series. */
export interface Family {
  readonly name: string
  /** What it counts, in which unit. */
  readonly help: string
  readonly type: "counter" | "gauge"
  /** What an instance of several processes has: the largest of theirs. Default: their sum. */
  readonly across?: "max"
  readonly samples: ReadonlyArray<Sample>
}

/** One series and its value now. */
export interface Sample {
  readonly labels?: Readonly<Record<string, string>>
  readonly value: number
}

/** What only grows: `anyport_` and the name. */
export const counter = (name: string, help: string, value: number | ReadonlyArray<Sample>): Family =>
  named(name, help, "counter", value)

/** What goes up and down. */
export const gauge = (name: string, help: string, value: number | ReadonlyArray<Sample>, across?: "max"): Family => ({
  ...named(name, help, "gauge", value),
  ...across === undefined ? {} : { across },
})

const named = (name: string, help: string, type: Family["type"], value: number | ReadonlyArray<Sample>): Family => ({
  name: `anyport_${name}`,
  help,
  type,
  samples: typeof value === "number" ? [{ value }] : value,
})

/** A series for each key, with the key as the value of this label. */
export const series = (label: string, counts: Iterable<readonly [string, number]>): ReadonlyArray<Sample> =>
  [...counts].map(([key, value]) => ({ labels: { [label]: key }, value }))

/** The format's media type. */
export const contentType = "text/plain; version=0.0.4; charset=utf-8"

/** The text of all families, in their order. */
export const render = (families: ReadonlyArray<Family>): string => families.map(family).join("")

const family = ({ name, help, type, samples }: Family): string => {
  const lines = samples.map(({ labels, value }) =>
    `${name}${labels === undefined ? "" : set(labels)} ${number(value)}\n`
  )
  return `# HELP ${name} ${escaped(help)}\n# TYPE ${name} ${type}\n${lines.join("")}`
}

const set = (labels: Readonly<Record<string, string>>): string =>
  `{${Object.entries(labels).map(([name, value]) => `${name}="${escaped(value).replaceAll('"', '\\"')}"`).join(",")}}`

const escaped = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")

const number = (value: number): string => value === Infinity ? "+Inf" : value === -Infinity ? "-Inf" : String(value)
