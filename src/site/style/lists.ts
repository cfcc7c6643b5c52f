// Rows of chips, and numbered steps.

export const listsStyle = `
.plain { list-style: none; }
.said { font-weight: 400; }
.said pre { max-height: 20rem; margin-top: var(--space-2); padding: var(--space-2); overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere; background: var(--sunken); border-radius: 6px; }
.chips { list-style: none; display: flex; flex-wrap: wrap; gap: var(--space-2); margin-bottom: var(--space-4); }
.panel-body > .chips { margin-bottom: 0; }
@media (max-width: 39.99rem) { .chips-common { display: none; } }
.chips .badge { min-height: 1.75rem; max-width: 100%; white-space: normal; overflow-wrap: anywhere; }
.chips .badge .icon { width: 0.875em; height: 0.875em; flex: none; }
.steps { padding-left: 1.5em; }
.steps > li + li { margin-top: var(--space-2); }
.steps > li::marker { color: var(--muted); font-variant-numeric: tabular-nums; }
.more-filters { flex-basis: 100%; }
.more-filters > summary, .save-search > summary { width: fit-content; padding: var(--space-2) 0; color: var(--accent); cursor: pointer; }
.more-filters > .filters, .save-search .filters { margin-top: var(--space-2); margin-bottom: 0; }
.save-search { margin-top: var(--space-5); }
`;
