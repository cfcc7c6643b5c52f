// Charts that the server draws (components/day-chart.ts).

export const chartsStyle = `
.day-chart svg { display: block; width: 100%; height: 8rem; }
.day-chart .hit { fill: transparent; }
.day-chart g:hover .hit { fill: var(--sunken); }
.day-chart .given, .key-given { fill: var(--accent); background: var(--accent); }
.day-chart .taken, .key-taken { fill: var(--control); background: var(--control); }
.day-chart .axis { stroke: var(--control); stroke-width: 1; vector-effect: non-scaling-stroke; fill: none; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); gap: var(--space-4); }
.charts figure { margin: 0; }
.line-chart svg { height: 6rem; }
.day-chart .line { fill: none; stroke: var(--accent); stroke-width: 2; vector-effect: non-scaling-stroke; }
.day-chart .line.taken { stroke: var(--control); }
.day-chart-ends { display: flex; justify-content: space-between; }
.day-chart figcaption { display: flex; flex-wrap: wrap; gap: var(--space-1) var(--space-3); align-items: center; margin-top: var(--space-2); }
.key { display: inline-block; width: 0.75rem; height: 0.75rem; border-radius: 2px; margin-right: -0.5rem; }
.spans { list-style: none; display: flex; flex-wrap: wrap; gap: var(--space-1) var(--space-3); }
.spans a[aria-current] { color: inherit; font-weight: 600; text-decoration: none; }
`;
