/** How the page of a comparison looks: as the report of a load run does, and what only a comparison has. */
import { createHash } from "node:crypto"
import { style as load } from "../../load/report/Style.ts"

/** The style sheet. */
export const style = `${load}
h3 { font-size: 15px; margin: 20px 0 8px; }
.rows > svg { margin-top: 4px; }
.rows text { paint-order: stroke; stroke: var(--paper); stroke-width: 4px; stroke-linejoin: round; }
.charts + .scroll, .verdict + .scroll { margin-top: 16px; }
.scroll + p { margin-top: 8px; }
svg .name { fill: var(--ink); }
svg .group { fill: var(--ink); font-weight: 600; }
.bar { fill-opacity: .38; }
.dot { fill-opacity: .8; }
.void { fill: none; stroke: var(--soft); stroke-opacity: .8; }
.whisker { stroke: var(--ink); stroke-width: 1.2; }
.middle-mark { stroke-width: 3; }
.m1 { stroke: var(--c1); } .m2 { stroke: var(--c2); } .m3 { stroke: var(--c3); } .m4 { stroke: var(--c4); } .m5 { stroke: var(--c5); }
.reference { stroke: var(--bad); stroke-dasharray: 2 4; }
.lead { font-size: 18px; margin: 14px 0 0; }
.verdict { margin: 14px 0 0; padding: 0; list-style: none; display: grid; gap: 12px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); }
.verdict li { background: var(--paper); border: 1px solid var(--line); border-radius: 8px; padding: 10px 14px; }
.verdict strong { display: block; font-size: 20px; }
.verdict .soft { font-size: 14px; }
.method li { margin: 0 0 8px; }
.reached { color: var(--good); } .missed { color: var(--bad); }
td:nth-child(n + 2):not(.number):not(:empty) { min-width: 10.5em; }
@media (max-width: 600px) { th, td:first-child { white-space: normal; } td:first-child { min-width: 9em; } }
code { font-size: 14px; overflow-wrap: anywhere; }
`

/** Names the style sheet to a content security policy, which allows nothing else. */
export const hash = `sha256-${createHash("sha256").update(style).digest("base64")}`
