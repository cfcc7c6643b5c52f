// What stands around every page: skip link, header with navigation, search and member menu, the
// strip with the member's ratio, the footer; and the three archetypes list, item and console.

export const frameStyle = `
.skip {
  position: absolute; left: var(--space-3); top: -4rem; z-index: 10; padding: var(--space-2) var(--space-3);
  background: var(--accent); color: var(--on-accent); border-radius: 0 0 6px 6px;
}
.skip:focus { top: 0; color: var(--on-accent); }
.wrap { width: 100%; max-width: 84rem; margin-inline: auto; padding-inline: var(--space-4); }
.site-header { background: var(--surface); }
.site-header.bare, .strip { border-bottom: 1px solid var(--line); }
.site-header > .wrap {
  display: grid; align-items: center; gap: 0 var(--space-4);
  grid-template-columns: 1fr auto; grid-template-areas: "brand member" "search search" "nav nav";
}
.brand {
  grid-area: brand; display: inline-flex; align-items: center; gap: var(--space-2);
  min-width: 0; max-width: 100%;
  padding: var(--space-3) 0; color: var(--text); font-weight: 700; font-size: var(--type-large);
  text-decoration: none; justify-self: start; letter-spacing: -0.01em;
}
.brand:hover { color: var(--accent); }
.brand svg { width: 1.625rem; height: 1.625rem; color: var(--accent); }
.brand span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.nav { grid-area: nav; overflow-x: auto; scrollbar-width: none; margin: 0 calc(-1 * var(--space-2)); }
.nav ul { list-style: none; display: flex; }
.nav a {
  display: block; padding: var(--space-3) var(--space-2); color: var(--muted); text-decoration: none;
  font-weight: 550; white-space: nowrap; border-bottom: 3px solid transparent;
  border-top: 3px solid transparent;
}
.nav a:hover { color: var(--text); }
.nav a:focus-visible { outline-offset: -3px; }
.nav a[aria-current] { color: var(--text); border-bottom-color: var(--accent); }
.search { grid-area: search; display: flex; min-width: 0; }
.search input {
  flex: 1; min-width: 0; border-radius: 6px 0 0 6px;
}
.search .button { border-radius: 0 6px 6px 0; border-left: 0; padding-inline: var(--space-3); color: var(--muted); }
.member-area { grid-area: member; display: flex; align-items: center; gap: var(--space-3); }
.menu { position: relative; }
.menu > summary {
  display: flex; align-items: center; gap: var(--space-2); list-style: none; padding: var(--space-2);
  border-radius: 6px; font-weight: 550; max-width: 11rem; min-height: 2.75rem;
}
.menu > summary::-webkit-details-marker { display: none; }
.menu > summary:hover, .menu[open] > summary { background: var(--sunken); }
.menu > summary .name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.menu > summary .icon { color: var(--muted); }
.initial {
  flex: none; display: grid; place-items: center; width: 1.75rem; height: 1.75rem; border-radius: 50%;
  background: var(--accent-soft); color: var(--accent); font-size: var(--type-small); font-weight: 700;
}
.menu-items {
  position: absolute; right: 0; top: calc(100% + var(--space-1)); z-index: 5; min-width: 14rem;
  padding: var(--space-2); background: var(--surface); border: 1px solid var(--line);
  border-radius: 8px; box-shadow: 0 8px 24px rgb(0 0 0 / 0.18);
}
.menu-items ul { list-style: none; }
.menu-items a, .menu-items button.menu-button {
  display: block; width: 100%; padding: var(--space-2) var(--space-3); border-radius: 5px; border: 0;
  background: none; color: var(--text); font: inherit; text-align: left; text-decoration: none;
  cursor: pointer;
}
.menu-items a:hover, .menu-items button.menu-button:hover { background: var(--sunken); }
.menu-items hr { margin: var(--space-2) 0; }
.status-corner > summary { max-width: none; padding-inline: var(--space-1); }
.status-corner .health { font-size: var(--type-small); }
.status-corner li a { display: grid; gap: 0; }
.status-corner li a .small { padding-left: 1.375rem; }
@media (max-width: 39.99rem) {
  .status-corner .menu-items { position: fixed; inset: auto var(--space-3); top: 3.75rem; }
  /* There is room for the shape alone; the words are behind it. */
  .status-corner > summary .health { font-size: 0; gap: 0; padding-inline: var(--space-2); }
}
.strip { background: var(--sunken); border-top: 1px solid var(--line); font-size: var(--type-small); }
.strip a {
  display: flex; flex-wrap: wrap; gap: 0 var(--space-5); padding: var(--space-1) 0; color: var(--muted);
  text-decoration: none;
}
.strip a:hover { color: var(--text); }
.strip strong { color: var(--text); font-variant-numeric: tabular-nums; }
main { flex: 1; padding-top: var(--space-5); padding-bottom: var(--space-7); outline: 0; }
.site-footer { border-top: 1px solid var(--line); font-size: var(--type-small); color: var(--muted); }
.site-footer > .wrap {
  display: flex; flex-wrap: wrap; gap: var(--space-2) var(--space-5); align-items: center;
  justify-content: space-between; padding-top: var(--space-3); padding-bottom: var(--space-3);
}
.theme-choice { display: flex; align-items: center; gap: var(--space-1); }
.theme-choice .button { min-height: 2rem; padding: 0 var(--space-2); font-size: var(--type-small); }
.theme-choice .button[aria-pressed="true"] {
  background: var(--surface); border-color: var(--control); color: var(--text);
}

.page-head {
  display: flex; flex-wrap: wrap; align-items: flex-start; justify-content: space-between;
  gap: var(--space-3) var(--space-5); margin-bottom: var(--space-5);
}
.page-head > div:first-child { min-width: min(100%, 24rem); flex: 1; }
.page-head h1 { overflow-wrap: anywhere; }
.page-head .lead { color: var(--muted); margin-top: var(--space-1); max-width: 46rem; }
.page-head .lead strong { color: var(--text); }
.crumbs { font-size: var(--type-small); margin-bottom: var(--space-1); color: var(--muted); }
.crumbs ol { list-style: none; display: flex; flex-wrap: wrap; gap: 0 var(--space-2); }
.crumbs li + li::before { content: "/"; margin-right: var(--space-2); color: var(--muted); }
.narrow { max-width: 30rem; margin-inline: auto; }
.medium { max-width: 44rem; margin-inline: auto; }
.columns { display: grid; gap: var(--space-5); align-items: start; grid-template-columns: minmax(0, 1fr); }
.columns > * > * + * { margin-top: var(--space-5); }
.panels { display: grid; gap: var(--space-4); grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); align-items: start; }
.console { display: grid; gap: var(--space-5); grid-template-columns: minmax(0, 1fr); align-items: start; }
.console-nav { border-bottom: 1px solid var(--line); }
.console-nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: 0 var(--space-1); }
.console-nav a {
  display: block; padding: var(--space-2) var(--space-3); color: var(--muted); text-decoration: none;
  font-weight: 550; white-space: nowrap; border-bottom: 3px solid transparent;
}
.console-nav a:hover { color: var(--text); }
.console-nav a:focus-visible { outline-offset: -3px; }
.console-nav a[aria-current] { color: var(--text); border-bottom-color: var(--accent); }
@media (max-width: 39.99rem) {
  h1 { font-size: 1.375rem; }
  .strip a { gap: 0 var(--space-3); justify-content: space-between; }
  .strip .wide { display: none; }
  .nav ul { flex-wrap: wrap; }
  .nav a { padding: 0.375rem 0.5rem; font-size: 0.9375rem; border-top-width: 0; }
  .menu > summary .name { display: none; }
  main { padding-top: var(--space-4); }
  .console-nav a { padding: var(--space-1) var(--space-2); font-size: var(--type-small); border-bottom-width: 2px; }
}
@media (min-width: 40rem) {
  .site-header > .wrap {
    grid-template-columns: auto minmax(8rem, 1fr) auto;
    grid-template-areas: "brand search member" "nav nav nav";
  }
  .site-header > .wrap.signed-out { grid-template-columns: 1fr auto; grid-template-areas: "brand member"; }
  .search { max-width: 24rem; justify-self: end; width: 100%; }
}
@media (min-width: 48rem) {
  .wrap { padding-inline: var(--space-5); }
}
@media (min-width: 60rem) {
  .site-header > .wrap {
    column-gap: var(--space-5);
    grid-template-columns: auto minmax(0, max-content) minmax(10rem, 1fr) auto;
    grid-template-areas: "brand nav search member";
  }
  .columns { grid-template-columns: minmax(0, 1fr) 21rem; gap: var(--space-6); }
  .console { grid-template-columns: 12rem minmax(0, 1fr); gap: var(--space-6); }
  .console-nav { border-bottom: 0; position: sticky; top: var(--space-4); }
  .console-nav ul { flex-direction: column; }
  .console-nav a { border-bottom: 0; border-left: 3px solid transparent; border-radius: 0 6px 6px 0; }
  .console-nav a[aria-current] { border-left-color: var(--accent); background: var(--sunken); }
}
@media print { .site-header, .strip, .site-footer, .skip { display: none; } }
`;
