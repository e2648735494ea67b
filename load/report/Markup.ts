/**
 * Text as HTML and SVG. Whatever is put into a page goes through here.
 */
import { printable } from "../Text.ts"

/** Text as the content of an element or of an attribute in quotes. */
export const escape = (text: string): string =>
  printable(text).replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`)

/** A number as a coordinate. Throws what is none, which no chart can show. */
export const coordinate = (value: number): string => {
  if (!Number.isFinite(value)) throw new RangeError(`A coordinate is ${value}`)
  return String(Math.round(value * 10) / 10)
}

/** A table. Of the columns those named `r` are numbers. Cells are text. */
export const table = (
  head: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string>>,
  align: string,
): string => {
  const cell = (name: string, attributes = "") => (text: string, column: number): string =>
    `<${name}${align[column] === "r" ? ' class="number"' : ""}${attributes}>${escape(text)}</${name}>`
  const header = `<tr>${head.map(cell("th", ' scope="col"')).join("")}</tr>`
  const body = rows.map((row) => `<tr>${row.map(cell("td")).join("")}</tr>`).join("\n")
  // It may be scrolled by keyboard, which needs a focus.
  return `<div class="scroll" tabindex="0" role="group"><table>${
    head.length === 0 ? "" : `<thead>${header}</thead>`
  }<tbody>
${body}
</tbody></table></div>`
}
