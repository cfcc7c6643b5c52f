// Elements and the words on a page: type, links, focus, tables of figures. Nothing here has a class
// of one page.

export const baseStyle = `
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
html[data-theme="light"] { color-scheme: light; }
html[data-theme="dark"] { color-scheme: dark; }
body {
  margin: 0;
  min-height: 100vh;
  min-height: 100dvh;
  display: flex;
  flex-direction: column;
  background: var(--page);
  color: var(--text);
  font: var(--type-body)/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans",
    "Helvetica Neue", "Liberation Sans", Arial, sans-serif;
  overflow-wrap: break-word;
}
h1, h2, h3, p, ul, ol, dl, dd, figure, fieldset { margin: 0; padding: 0; }
h1 { font-size: var(--type-title); line-height: 1.25; font-weight: 650; letter-spacing: -0.01em; }
h2 { font-size: var(--type-heading); line-height: 1.3; font-weight: 650; }
h3 { font-size: var(--type-body); line-height: 1.4; font-weight: 650; }
a {
  color: var(--accent); text-underline-offset: 0.2em; text-decoration-thickness: 1px;
  text-decoration-color: color-mix(in srgb, currentColor 40%, transparent);
}
a:hover { color: var(--accent-hover); text-decoration-color: currentColor; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
code, kbd, pre, .mono {
  font-family: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono",
    monospace;
  font-size: 0.9em;
}
code { overflow-wrap: anywhere; }
hr { border: 0; border-top: 1px solid var(--line); margin: 0; }
summary { cursor: pointer; }
svg { flex: none; }
/* Words from right to left keep their order to themselves. */
a, strong, em, code, h1, h2, h3, td, dd, li, span { unicode-bidi: isolate; }
.markdown :is(p, li, td, th, h3, h4, h5, h6, blockquote), .said pre { unicode-bidi: plaintext; }
strong { font-weight: 650; }
.icon { width: 1em; height: 1em; vertical-align: -0.125em; fill: none; stroke: currentColor;
  stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; }
.muted { color: var(--muted); }
.small { font-size: var(--type-small); }
.figure { font-variant-numeric: tabular-nums; white-space: nowrap; }
.nowrap { white-space: nowrap; }
.visually-hidden {
  position: absolute; width: 1px; height: 1px; margin: -1px; padding: 0; border: 0;
  overflow: hidden; clip-path: inset(50%); white-space: nowrap;
}
.stack > * + * { margin-top: var(--space-4); }
.stack-tight > * + * { margin-top: var(--space-2); }
.stack-loose > * + * { margin-top: var(--space-6); }
.row { display: flex; flex-wrap: wrap; align-items: center; gap: var(--space-2) var(--space-3); }
.prose { max-width: 42rem; }
.prose > * + * { margin-top: var(--space-3); }
@media (prefers-reduced-motion: reduce) {
  *, *::before, *::after { animation: none !important; transition: none !important; }
}
@media (forced-colors: active) { .badge, .panel, .button { border: 1px solid; } }
`;
