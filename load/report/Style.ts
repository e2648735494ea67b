/**
 * How a report looks. Colours are told apart also by who sees fewer of them (Okabe and Ito's), and lines by their dashes.
 */

/** The style sheet. */
export const style = `
:root {
  color-scheme: light dark;
  --paper: #fff; --ground: #f4f5f7; --ink: #1b1f24; --soft: #59636e; --line: #d9dde2; --grid: #e7eaee;
  --c1: #0072b2; --c2: #d55e00; --c3: #00845f; --c4: #a6498a; --c5: #7a828c;
  --bad: #b3261e; --bad-ground: #fdecea; --warn: #7a4d00; --warn-ground: #fff4dc; --good: #00704f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #1a1e24; --ground: #101317; --ink: #e8ebef; --soft: #a3adb8; --line: #343b44; --grid: #2a3038;
    --c1: #56b4e9; --c2: #f08c3a; --c3: #2bc59b; --c4: #e495c3; --c5: #98a2ad;
    --bad: #ff9d94; --bad-ground: #3a1c1a; --warn: #f5c869; --warn-ground: #352a12; --good: #4fd1a5;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 24px 16px 48px; }
h1 { font-size: 22px; line-height: 1.3; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 32px 0 10px; }
p { margin: 0 0 8px; }
.soft { color: var(--soft); overflow-wrap: anywhere; }
.note { border-left: 4px solid; border-radius: 4px; padding: 10px 14px; margin: 14px 0 0; overflow-wrap: anywhere; }
.note strong { display: block; }
.note.bad { color: var(--bad); background: var(--bad-ground); }
.note.warn { color: var(--warn); background: var(--warn-ground); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 20px 0 0; padding: 0; }
.tile { background: var(--paper); border: 1px solid var(--line); border-radius: 8px; padding: 12px 14px; }
.tile dt { color: var(--soft); font-size: 14px; }
.tile dd { margin: 0; font-size: 24px; font-weight: 600; line-height: 1.3; font-variant-numeric: tabular-nums; }
.tile dd + dd { font-size: 13px; font-weight: 400; color: var(--soft); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 460px), 1fr)); gap: 16px; }
figure, .scroll { background: var(--paper); border: 1px solid var(--line); border-radius: 8px; margin: 0; }
figure { padding: 12px 14px 6px; min-width: 0; display: flex; flex-direction: column; }
figcaption { font-weight: 600; }
figure > svg { display: block; width: 100%; height: auto; margin-top: auto; overflow: visible; }
figure > p { margin: auto; padding: 40px 0; color: var(--soft); }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 2px 16px; margin: 2px 0 4px; padding: 0; font-size: 13px; color: var(--soft); }
.swatch { width: 22px; height: 10px; margin-right: 6px; }
svg text { font: 13px system-ui, sans-serif; fill: var(--soft); font-variant-numeric: tabular-nums; }
svg .end { text-anchor: end; }
svg .middle { text-anchor: middle; }
.grid { stroke: var(--grid); }
.axis { stroke: var(--soft); }
.limit { stroke: var(--bad); stroke-dasharray: 2 4; }
.s1, .s2, .s3, .s4, .s5 { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.s1 { stroke: var(--c1); } .s2 { stroke: var(--c2); stroke-dasharray: 7 3; } .s3 { stroke: var(--c3); stroke-dasharray: 2 3; }
.s4 { stroke: var(--c4); stroke-dasharray: 9 3 2 3; } .s5 { stroke: var(--c5); stroke-dasharray: 3 5; }
.d1, .b1 { fill: var(--c1); } .d2, .b2 { fill: var(--c2); } .d3, .b3 { fill: var(--c3); } .d4, .b4 { fill: var(--c4); }
.d5, .b5 { fill: var(--c5); }
.at > * { opacity: 0; }
.at > line { stroke: var(--soft); }
svg .at > text { fill: var(--ink); font-size: 11.5px; }
.at:hover > :not(rect) { opacity: 1; }
figure > svg:hover > .above { opacity: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 7px 12px; border-top: 1px solid var(--line); vertical-align: top; }
thead tr th, table:not(:has(thead)) tr:first-child td { border-top: 0; }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
td:first-child { white-space: nowrap; }
td:nth-child(n + 3):not(.number):not(:empty) { min-width: 11em; }
.number { text-align: right; white-space: nowrap; }
details { margin-top: 24px; }
summary { cursor: pointer; font-weight: 600; margin-bottom: 10px; }
@media (max-width: 600px) { svg text { font-size: 14.5px; } }
@media print { body { background: none; } figure, .tile, .scroll { break-inside: avoid; } }
`

/** Names the style sheet to a content security policy, which allows nothing else. A test says what it has to be. */
export const hash = "sha256-b+zUKH7NdjYYN/tghTlTSvOzyY53mOTwzjcEDr0a4pc="
