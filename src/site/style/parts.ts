// The components: buttons, fields, notices, panels, badges, facts, meters, trees. Each rule belongs
// to the component of the same name in components/.

export const partsStyle = `
.button {
  display: inline-flex; align-items: center; justify-content: center; gap: var(--space-2);
  min-height: 2.75rem; padding: 0 var(--space-4); border: 1px solid var(--control); border-radius: 6px;
  background: var(--surface); color: var(--text); font: inherit; font-weight: 600; line-height: 1.2;
  text-align: center; text-decoration: none; cursor: pointer;
}
.button:hover { background: var(--sunken); color: var(--text); }
.button-primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
.button-primary:hover {
  background: var(--accent-hover); border-color: var(--accent-hover); color: var(--on-accent);
}
.button-danger { border-color: var(--bad); color: var(--bad); }
.button-danger:hover { background: var(--bad); color: var(--on-bad); }
.button-danger.button-solid { background: var(--bad); color: var(--on-bad); }
.button-danger.button-solid:hover { background: var(--bad); outline: 2px solid var(--bad); outline-offset: 1px; }
.button-quiet { background: none; border-color: transparent; color: var(--accent); }
.button-quiet:hover { background: var(--sunken); color: var(--accent-hover); }
.button-small { min-height: 2rem; padding: 0 var(--space-3); font-size: var(--type-small); }
.button-wide { width: 100%; }
.button:disabled { opacity: 0.55; cursor: not-allowed; }
.inline-form { display: inline; }

.form > * + * { margin-top: var(--space-4); }
.form > input[type="hidden"] + * { margin-top: 0; }
.form-actions { display: flex; flex-wrap: wrap; gap: var(--space-3); margin-top: var(--space-5); }
.field > label:not(.choice), .field > .label, fieldset > legend { display: block; font-weight: 600; margin-bottom: var(--space-1); padding: 0; }
fieldset { border: 0; min-width: 0; }
.field .hint { color: var(--muted); font-size: var(--type-small); margin-bottom: var(--space-1); }
.field .error {
  color: var(--bad); font-weight: 600; font-size: var(--type-small); margin-bottom: var(--space-1);
}
input, select, textarea { font: inherit; color: inherit; }
.input, .search input {
  display: block; width: 100%; min-height: 2.75rem; padding: var(--space-2) var(--space-3);
  background: var(--surface); color: var(--text); border: 1px solid var(--control); border-radius: 6px;
}
.search input { min-height: 2.5rem; }
.search .button { min-height: 2.5rem; }
.input:focus-visible, .search input:focus-visible { outline-offset: 0; border-radius: 6px; }
.input::placeholder, .search input::placeholder { color: var(--muted); opacity: 1; }
textarea.input { min-height: 8rem; resize: vertical; }
.input[aria-invalid="true"] { border: 2px solid var(--bad); }
input[type="file"].input { padding: var(--space-2); border-style: dashed; }
input[type="file"]::file-selector-button {
  font: inherit; font-weight: 600; margin-right: var(--space-3); padding: var(--space-1) var(--space-3);
  border: 1px solid var(--control); border-radius: 5px; background: var(--sunken); color: var(--text);
}
input[type="checkbox"], input[type="radio"] {
  flex: none; width: 1.25rem; height: 1.25rem; margin: 0.125rem 0 0; accent-color: var(--accent);
}
.field > .input { max-width: 40rem; }
.filters .field > .input, .narrow .field > .input { max-width: none; }
.choice { display: flex; gap: var(--space-3); align-items: flex-start; padding: var(--space-1) 0; }
.choice .hint { display: block; margin: 0; }
.choices { display: flex; flex-wrap: wrap; gap: 0 var(--space-5); }
.filters {
  display: flex; flex-wrap: wrap; gap: var(--space-3); align-items: flex-end; margin-bottom: var(--space-4);
}
.filters .field { flex: 1 1 9rem; max-width: 18rem; }
.filters .input { min-height: 2.5rem; padding-block: var(--space-1); }
.filters .button { min-height: 2.5rem; }

.notice {
  display: flex; gap: var(--space-3); padding: var(--space-3) var(--space-4); border-radius: 6px;
  border-left: 4px solid var(--accent); background: var(--accent-soft); color: var(--text);
}
.notice > .icon { margin-top: 0.25em; color: var(--accent); width: 1.125em; height: 1.125em; flex: none; }
.notice > div { min-width: 0; }
.notice-good { background: var(--good-soft); border-color: var(--good); }
.notice-good > .icon { color: var(--good); }
.notice-warn { background: var(--warn-soft); border-color: var(--warn); }
.notice-warn > .icon { color: var(--warn); }
.notice-bad { background: var(--bad-soft); border-color: var(--bad); }
.notice-bad > .icon { color: var(--bad); }
.notice ul { padding-left: 1.25em; }
.notice strong { display: block; }
.flashes { margin-bottom: var(--space-4); }
.flashes > * + * { margin-top: var(--space-2); }

.panel { background: var(--surface); border: 1px solid var(--line); border-radius: 8px; }
.panel-head {
  display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between;
  gap: var(--space-2) var(--space-4); padding: var(--space-3) var(--space-4); border-bottom: 1px solid var(--line);
}
.panel-head h2 { font-size: var(--type-large); }
.panel-head .small { color: var(--muted); }
.panel-body { padding: var(--space-4); }
.panel-body > * + * { margin-top: var(--space-4); }
.panel-flush > .panel-body { padding: 0; }
.panel-flush > .panel-body > * + * { margin-top: 0; }
.panel-flush .table-frame { border: 0; border-radius: 0 0 8px 8px; }

.badge {
  display: inline-flex; align-items: center; gap: var(--space-1); padding: 0 var(--space-2);
  border-radius: 4px; background: var(--sunken); color: var(--muted); font-size: var(--type-small);
  font-weight: 600; line-height: 1.5rem; white-space: nowrap; vertical-align: middle;
}
a.badge { text-decoration: none; }
a.badge:hover { color: var(--text); text-decoration: underline; }
.badge-accent { background: var(--accent-soft); color: var(--accent); }
.badge-good { background: var(--good-soft); color: var(--good); }
.badge-warn { background: var(--warn-soft); color: var(--warn); }
.badge-bad { background: var(--bad-soft); color: var(--bad); }
.health { display: inline-flex; align-items: baseline; gap: var(--space-2); font-weight: 600; white-space: nowrap; }
.health::before { content: ""; flex: none; align-self: center; box-sizing: border-box; width: 0.875rem; height: 0.875rem; border: 2px solid; border-radius: 50%; }
.health-good::before { background: linear-gradient(currentColor, currentColor) border-box; }
.health-warn::before { background: linear-gradient(90deg, currentColor 50%, transparent 50%); }
.health-bad::before { background: linear-gradient(to top left, transparent 42%, currentColor 42% 58%, transparent 58%); }
.health-good { color: var(--good); }
.health-warn { color: var(--warn); }
.health-bad { color: var(--bad); }
.health-none { color: var(--muted); }
.verdict { font-size: var(--type-large); }

.facts { display: grid; grid-template-columns: minmax(6.5rem, auto) minmax(0, 1fr); gap: 0; }
.facts > div { display: contents; }
.facts dt, .facts dd { padding: var(--space-2) 0; border-top: 1px solid var(--line); }
.facts dt { color: var(--muted); padding-right: var(--space-4); }
.facts dd { overflow-wrap: anywhere; }
.facts > div:first-child > * { border-top: 0; padding-top: 0; }
.facts > div:last-child > * { padding-bottom: 0; }
.facts-figures dd { text-align: right; font-variant-numeric: tabular-nums; }
.facts-figures dt, .facts-figures dd { font-size: var(--type-small); }

.stats { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 1px;
  background: var(--line); border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }
.stat { background: var(--surface); padding: var(--space-3) var(--space-4); display: flex; flex-direction: column; }
.stat dt { color: var(--muted); font-size: var(--type-small); }
.stat dd { font-size: var(--type-heading); font-weight: 650; font-variant-numeric: tabular-nums; line-height: 1.3; }
.stat dd.note { font-size: var(--type-small); font-weight: 400; color: var(--muted); margin-top: auto; line-height: 1.5; }

.meter { display: flex; align-items: center; gap: var(--space-2); min-width: 6rem; }
.meter svg { flex: 1 1 4rem; width: 100%; height: 0.5rem; border-radius: 4px; background: var(--sunken); border: 1px solid var(--control); }
.meter rect { fill: var(--accent); }
.meter-good rect { fill: var(--good); }
.meter-warn rect { fill: var(--warn); }
.meter-bad rect { fill: var(--bad); }
.meter .figure { min-width: 3em; text-align: right; }

.empty { padding: var(--space-7) var(--space-4); text-align: center; }
.empty > * + * { margin-top: var(--space-2); }
.empty svg { width: 2.5rem; height: 2.5rem; color: var(--muted); stroke-width: 1.5; }
.empty p { color: var(--muted); max-width: 34rem; margin-inline: auto; }
.empty .row { justify-content: center; margin-top: var(--space-4); }
.panel .empty { padding: var(--space-5) var(--space-4); }

.tree, .tree ul { list-style: none; }
.tree ul { margin-left: 0.5rem; padding-left: var(--space-4); border-left: 1px solid var(--line); }
.tree-line {
  display: flex; align-items: baseline; gap: var(--space-2); padding: var(--space-1) 0; min-width: 0;
}
.tree-line .name { flex: 1; min-width: 0; overflow-wrap: anywhere; }
.tree-line .figure { color: var(--muted); }
.tree .icon { color: var(--muted); align-self: center; }
.tree summary { list-style: none; border-radius: 4px; }
.tree summary::-webkit-details-marker { display: none; }
.tree summary:hover { background: var(--sunken); }
.tree summary .name { font-weight: 600; }
.tree summary .turn { transition: rotate 0.1s; }
.tree details[open] > summary .turn { rotate: 90deg; }

.gallery { list-style: none; display: grid; gap: var(--space-3); grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); }
.gallery li > * { display: block; color: inherit; text-decoration: none; overflow-wrap: anywhere; }
.gallery a:hover .small { text-decoration: underline; }
.gallery img {
  display: block; width: 100%; height: 7rem; object-fit: contain; margin-bottom: var(--space-1);
  background: var(--sunken); border: 1px solid var(--line); border-radius: 6px;
}
.drop { max-width: 40rem; padding: var(--space-5) var(--space-4); border: 2px dashed var(--control); border-radius: 8px; text-align: center; }
.drop[data-over] { border-color: var(--accent); background: var(--accent-soft); }
progress { width: 100%; height: 0.75rem; accent-color: var(--accent); }
[data-state]:empty { display: none; }
.pager { display: flex; flex-wrap: wrap; gap: var(--space-3); align-items: center; justify-content: space-between; margin-top: var(--space-4); }
.pager p { color: var(--muted); font-size: var(--type-small); }
.as-typed { white-space: pre-line; overflow-wrap: anywhere; }
.qr-code { display: block; width: 12rem; max-width: 100%; border-radius: 6px; }
.qr-code rect { fill: #ffffff; }
.qr-code path { fill: #000000; }
.secret { display: block; white-space: pre-wrap; padding: var(--space-3); background: var(--sunken); border-radius: 6px; overflow-wrap: anywhere; user-select: all; }
.reveal > summary { color: var(--accent); font-weight: 600; padding: var(--space-2) 0; }
.reveal[open] > summary { margin-bottom: var(--space-2); }
.reveal > * + * { margin-top: var(--space-2); }
.markdown > * + * { margin-top: var(--space-3); }
.markdown ul, .markdown ol { padding-left: 1.5em; }
.markdown pre { overflow-x: auto; padding: var(--space-3); background: var(--sunken); border-radius: 6px; }
`;
