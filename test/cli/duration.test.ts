import { expect, it } from "vitest"
import { parse } from "../../cli/duration.ts"

it.each([["250ms", 250], ["30s", 30_000], ["1.5m", 90_000], ["1h", 3_600_000], ["off", Infinity]])(
  "%s is %d ms",
  (text, millis) => expect(parse(text)).toBe(millis),
)

it.each(["", "30", "s", "-1s", "0s", "1 s", "1d", "1e3s", "offs", "NaNs", "1s2s"])(
  "%j is no duration",
  (text) => expect(parse(text)).toBe(undefined),
)
