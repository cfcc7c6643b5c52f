// Tables of figures. Below 640 px (wide ones: 992 px) a row becomes a card: its title on a line of its
// own, then pairs of label and value; the sortable headings become a line of links. Roles are written
// in the markup, because `display` takes a table's own roles away.

const tableStyle = `
.table-frame { background: var(--surface); border: 1px solid var(--line); border-radius: 8px; overflow-x: auto; }
.table { width: 100%; border-collapse: collapse; }
.table th, .table td { padding: var(--space-2) var(--space-3); text-align: left; vertical-align: baseline; }
.table thead th {
  font-size: var(--type-small); font-weight: 600; color: var(--muted); background: var(--sunken);
  border-bottom: 1px solid var(--line); white-space: nowrap;
}
.table thead a { color: inherit; text-decoration: none; display: inline-flex; align-items: center; gap: var(--space-1); padding: var(--space-1) 0; }
.table thead a:hover { color: var(--text); text-decoration: underline; }
.table th[aria-sort] a { color: var(--text); }
.table tbody tr + tr > * { border-top: 1px solid var(--line); }
.table tbody tr:hover > * { background: color-mix(in srgb, var(--sunken) 55%, transparent); }
.table tbody th { font-weight: 600; }
.table .end { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.table .title { min-width: 11rem; overflow-wrap: anywhere; }
.table .title .under { display: flex; flex-wrap: wrap; gap: var(--space-1) var(--space-2); align-items: center;
  font-weight: 400; font-size: var(--type-small); color: var(--muted); margin-top: 0.125rem; }
.table .actions { white-space: nowrap; text-align: right; }
.table .actions .row { flex-wrap: nowrap; justify-content: flex-end; }
.table tr > :first-child { padding-left: var(--space-4); }
.table tr > :last-child { padding-right: var(--space-4); }
`;

/** Rows as cards, for tables of this selector. */
function cards(table: string): string {
  return `
  ${table}, ${table} thead, ${table} tbody, ${table} tr, ${table} th, ${table} td { display: block; }
  ${table} thead { background: var(--sunken); border-bottom: 1px solid var(--line); }
  ${table} thead tr { display: flex; flex-wrap: wrap; gap: 0 var(--space-4); padding: var(--space-1) var(--space-4); }
  ${table} thead th, ${table} tr > :first-child, ${table} tr > :last-child { padding-left: 0; padding-right: 0; }
  ${table} thead th { border: 0; padding: 0; background: none; }
  ${table} thead th:not(.sortable) { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  ${table}:not(.has-sort) thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  ${table} thead a { padding: var(--space-2) 0; }
  ${table} tbody tr { display: flex; flex-wrap: wrap; gap: 0 var(--space-4); align-items: baseline; padding: var(--space-3) var(--space-4);
    content-visibility: auto; contain-intrinsic-block-size: auto 7rem; }
  ${table} tbody tr + tr { border-top: 1px solid var(--line); }
  ${table} tbody tr + tr > * { border-top: 0; }
  ${table} tbody tr:hover > * { background: none; }
  ${table} tbody th, ${table} tbody td { padding: 0; }
  ${table} tbody .title { flex: 0 0 100%; min-width: 0; margin-bottom: var(--space-1); }
  ${table} tbody td { font-size: var(--type-small); }
  ${table} tbody td:empty { display: none; }
  ${table} tbody td[data-label]::before { content: attr(data-label) " "; color: var(--muted); }
  ${table} .end { text-align: left; }
  ${table} tbody .actions { flex: 0 0 100%; text-align: left; margin-top: var(--space-2); }
  ${table} tbody .actions .row { flex-wrap: wrap; justify-content: flex-start; }
  ${table} tbody td:has(.meter) { flex: 1 1 100%; display: flex; align-items: center; gap: var(--space-2); }
  ${table} tbody .meter { flex: 1; }
`;
}

export const tablesStyle = `${tableStyle}
@media (max-width: 39.99rem) {${cards('.table')}}
@media (max-width: 61.99rem) {${cards('.table-wide')}}
`;
