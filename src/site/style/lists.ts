// Rows of chips, and numbered steps.

export const listsStyle = `
.chips { list-style: none; display: flex; flex-wrap: wrap; gap: var(--space-2); margin-bottom: var(--space-4); }
.panel-body > .chips { margin-bottom: 0; }
@media (max-width: 39.99rem) { .chips-common { display: none; } }
.chips .badge { min-height: 1.75rem; max-width: 100%; white-space: normal; overflow-wrap: anywhere; }
.chips .badge .icon { width: 0.875em; height: 0.875em; flex: none; }
.steps { padding-left: 1.5em; }
.steps > li + li { margin-top: var(--space-2); }
.steps > li::marker { color: var(--muted); font-variant-numeric: tabular-nums; }
`;
