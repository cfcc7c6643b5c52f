// A torrent's past as its page shows it: a line each, with when, and by whom for those who may know.

import { html } from 'hono/html';
import { NO_END_MS } from '#accounting/credit.ts';
import type { Torrent } from '#site/catalogue/find-torrent.ts';
import { timeAgo } from '#site/components/figures.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { panel } from '#site/components/panel.ts';
import { table } from '#site/components/table.ts';
import { formatCount, plural } from '#site/format/number.ts';
import { formatUtc } from '#site/format/time.ts';
import { hrefTo } from '#site/routes.ts';
import type { FieldChange } from './torrent-changes.ts';
import type { HistoryEntry } from './torrent-history.ts';

/** Who did it, as far as everybody may know. */
export type Actor = 'uploader' | 'operator' | 'staff';

export interface HistoryReader {
  readonly torrent: Torrent;
  /** Names by member, for the staff; undefined for all others. */
  readonly names: ReadonlyMap<number, string> | undefined;
  readonly nowMs: number;
}

const ACTOR_WORDS = {
  uploader: 'the uploader',
  operator: 'the operator',
  staff: 'the staff',
} as const satisfies Record<Actor, string>;

const COVER_WORDS = {
  set: 'It was given a cover.',
  replaced: 'Its cover was changed.',
  removed: 'Its cover was taken away.',
} as const;

export function actorOf({ memberId }: HistoryEntry, torrent: Torrent): Actor | undefined {
  if (memberId === undefined) return undefined;
  if (memberId === 0) return 'operator';
  return memberId === torrent.uploaderId ? 'uploader' : 'staff';
}

/** A sentence without names. */
export function historyWords(entry: HistoryEntry): string {
  switch (entry.kind) {
    case 'uploaded':
      return 'Uploaded.';
    case 'removed':
      return entry.isReplaced ? `Removed: ${entry.reason}.` : `Removed: ${entry.reason}`;
    case 'replaces':
      return `Took the place of “${entry.other.title}”.`;
    case 'freed':
      return freedWords(entry);
    case 'kept':
      return 'The archive keeps it from here on.';
    case 'unkept':
      return 'The archive keeps it no longer.';
    case 'exempted':
      return entry.isExempt ? 'It asks nothing of those who take it.' : 'It counts like any other.';
    case 'cover':
      return COVER_WORDS[entry.what];
    case 'comments-removed':
      return `${plural(entry.count, 'comment')} removed.`;
    case 'edited':
      return entry.fields.map(fieldWords).join(' ');
    default:
      return entry satisfies never;
  }
}

function freedWords(entry: HistoryEntry & { readonly kind: 'freed' }): string {
  const { uploadPercent: up, downloadPercent: down, fromMs, untilMs } = entry;
  const what = [
    ...(down === 0 ? ['Freeleech'] : down === 100 ? [] : [`What is taken counts ${down}%`]),
    ...(up === 100 ? [] : [`${down === 100 ? 'What' : 'what'} is given counts ${up}%`]),
  ].join(', ');
  const from = fromMs > entry.atMs ? ` from ${formatUtc(fromMs)}` : '';
  return `${what}${from}${untilMs >= NO_END_MS ? '' : ` until ${formatUtc(untilMs)}`}.`;
}

export function fieldWords(change: FieldChange): string {
  const quoted = (text: string): string => (text === '' ? 'none' : `“${text}”`);
  switch (change.field) {
    case 'title':
      return `Renamed from ${quoted(change.from)} to ${quoted(change.to)}.`;
    case 'category':
      return `Moved from ${change.from} to ${change.to}.`;
    case 'tags':
      return `Tags changed from ${quoted(change.from)} to ${quoted(change.to)}.`;
    case 'description':
      return `Description changed from ${formatCount(change.fromChars)} to ${plural(change.toChars, 'character')}.`;
    default:
      return change satisfies never;
  }
}

/** The newest of it, on the torrent's page. */
export function historyPanel(entries: readonly HistoryEntry[], reader: HistoryReader): Html {
  const { infoHash: hash } = reader.torrent;
  const all = html`<a href="${hrefTo('torrentHistory', { hash })}">All of it</a>`;
  const body = historyTable(entries, reader);
  return panel({ title: 'History', id: 'history', aside: all, body, flush: true });
}

export function historyTable(entries: readonly HistoryEntry[], reader: HistoryReader): Html {
  return table({
    caption: 'What became of this torrent',
    rows: entries,
    columns: [
      { label: 'What', kind: 'title', cell: (entry) => whatCell(entry, reader) },
      { label: 'By', cell: (entry) => byCell(entry, reader) },
      { label: 'When', kind: 'figure', cell: (entry) => timeAgo(entry.atMs, reader.nowMs) },
    ],
  });
}

function whatCell(entry: HistoryEntry, { names }: HistoryReader): Html {
  return html`<div class="said">${historyWords(entry)}${more(entry, names !== undefined)}</div>`;
}

function more(entry: HistoryEntry, isStaff: boolean): Html {
  if (entry.kind === 'replaces') {
    return html` <a href="${hrefTo('torrent', { hash: entry.other.infoHash })}">Its page</a>`;
  }
  // Words may have been taken out for a reason: the staff alone reads them again.
  if (entry.kind !== 'edited' || !isStaff) return NOTHING;
  const former = entry.fields.find((change) => change.field === 'description');
  if (former === undefined || former.from === '') return NOTHING;
  return html`<details><summary>What it said before</summary><pre tabindex="0">${former.from}</pre></details>`;
}

function byCell(entry: HistoryEntry, { torrent, names }: HistoryReader): Html | string {
  const actor = actorOf(entry, torrent);
  if (actor === undefined) return NOTHING;
  const name = names?.get(entry.memberId ?? 0);
  if (name === undefined) return ACTOR_WORDS[actor];
  return html`<a href="${hrefTo('member', { name })}">${name}</a>`;
}
