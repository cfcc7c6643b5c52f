// Short facts beside a name, and the health of a swarm by shape and word as well as colour.

import { html } from 'hono/html';
import { plural } from '#site/format/number.ts';
import type { Html } from './markup.ts';

export type BadgeKind = 'plain' | 'accent' | 'good' | 'warn' | 'bad';

export function badge(kind: BadgeKind, text: string): Html {
  return html`<span class="badge badge-${kind}">${text}</span>`;
}

/** A badge that leads somewhere, such as a tag. */
export function badgeLink(text: string, href: string): Html {
  return html`<a class="badge" href="${href}">${text}</a>`;
}

export interface HealthCounts {
  readonly seeders: number;
  readonly leechers: number;
}

export interface Health {
  readonly kind: 'good' | 'warn' | 'bad' | 'none';
  readonly word: string;
}

const SEEDERS_GOOD = 3;

/** The verdict on a swarm in one or two words. */
export function healthOf({ seeders, leechers }: HealthCounts): Health {
  if (seeders >= SEEDERS_GOOD) return { kind: 'good', word: 'Well seeded' };
  if (seeders === 2) return { kind: 'good', word: 'Seeded' };
  if (seeders === 1) return { kind: 'warn', word: 'One seeder' };
  if (leechers > 0) return { kind: 'bad', word: 'No seeder' };
  return { kind: 'none', word: 'Nobody here' };
}

/** The word with its shape: a full, half, crossed or empty disc. */
export function health(counts: HealthCounts): Html {
  return healthMark(healthOf(counts));
}

/** Any verdict by word and shape. */
export function healthMark({ kind, word }: Health): Html {
  return html`<span class="health health-${kind}">${healthShape(kind)}${word}</span>`;
}

/** The verdict line of a torrent page. */
export function healthSentence(counts: HealthCounts): Html {
  const { seeders, leechers } = counts;
  const who = `${plural(seeders, 'seeder')}, ${plural(leechers, 'leecher')}`;
  return html`<span class="verdict">${health(counts)}</span> <span class="muted">${who} right now</span>`;
}

function healthShape(kind: Health['kind']): Html {
  const ring = html`<circle cx="8" cy="8" r="6.5" fill="none" stroke="currentColor" stroke-width="2"></circle>`;
  const inside = {
    good: html`<circle cx="8" cy="8" r="7.5" fill="currentColor"></circle>`,
    warn: html`${ring}<path d="M8 1.5a6.5 6.5 0 000 13z" fill="currentColor"></path>`,
    bad: html`${ring}<path d="M4 12L12 4" stroke="currentColor" stroke-width="2"></path>`,
    none: ring,
  }[kind];
  return html`<svg viewBox="0 0 16 16" aria-hidden="true" focusable="false">${inside}</svg>`;
}
