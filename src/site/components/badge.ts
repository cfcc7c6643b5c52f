// Short facts beside a name, and the health of a swarm by shape and word as well as colour.

import { html } from 'hono/html';
import { plural } from '#site/format/number.ts';
import { type Live, liveAttribute } from './live.ts';
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
export function health(counts: HealthCounts, live?: Live): Html {
  return healthMark(healthOf(counts), live);
}

/** Any verdict by word and shape; the shape comes with the class, so that a script changes both at once. */
export function healthMark({ kind, word }: Health, live?: Live): Html {
  return html`<span class="health health-${kind}"${liveAttribute('h', live)}>${word}</span>`;
}

/** The verdict line of a torrent page. */
export function healthSentence(counts: HealthCounts, live?: Live): Html {
  return html`<span class="verdict">${health(counts, live)}</span> <span class="muted"><span${liveAttribute('w', live)}>${whoIsHere(counts)}</span> right now</span>`;
}

/** `3 seeders, 1 leecher`. */
export function whoIsHere({ seeders, leechers }: HealthCounts): string {
  return `${plural(seeders, 'seeder')}, ${plural(leechers, 'leecher')}`;
}
