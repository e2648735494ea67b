/**
 * Text as HTML and SVG. Whatever is put into a page goes through here.
 */
import { printable } from "../Text.ts"

/** Text as the content of an element or of an attribute in quotes. */
export const escape = (text: string): string =>
  printable(text).replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`)

/** What makes a whole page. */
export interface Page {
  readonly title: string
  /** Its style sheet, and what names that to the policy that allows nothing else. */
  readonly style: string
  readonly hash: string
  /** Markup. */
  readonly body: string
}

/** A page of HTML that needs nothing else: its own policy forbids it everything but its style. */
export const page = ({ title, style, hash, body }: Page): string =>
  `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src '${hash}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${escape(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`

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
