// Reports as rows: what was reported, in whose words, and who looks at it.

import { html } from 'hono/html';
import { badge } from '#site/components/badge.ts';
import { timeAgo } from '#site/components/figures.ts';
import type { Html } from '#site/components/markup.ts';
import { table } from '#site/components/table.ts';
import { hrefTo } from '#site/routes.ts';
import type { Outcome, Report, ReportKind } from './reports.ts';

export interface ReportRows {
  readonly reports: readonly Report[];
  readonly names: ReadonlyMap<number, string>;
  readonly nowMs: number;
}

export const KIND_WORDS: Readonly<Record<ReportKind, string>> = {
  torrent: 'Torrent',
  comment: 'Comment',
  member: 'Member',
};

export const OUTCOME_WORDS: Readonly<Record<Outcome, string>> = {
  acted: 'Acted on',
  fine: 'Nothing wrong',
};

const WORDS_SHOWN_MAX = 120;

export function reportTable({ reports, names, nowMs }: ReportRows): Html {
  return table({
    caption: 'Reports',
    rows: reports,
    columns: [
      {
        label: 'Report',
        kind: 'title',
        cell: (one) =>
          html`<a href="${hrefTo('consoleReport', { id: one.id })}">${short(one.words)}</a>`,
      },
      { label: 'About', cell: (one) => KIND_WORDS[one.kind] },
      { label: 'By', cell: (one) => names.get(one.memberId) ?? 'a former member' },
      { label: 'State', cell: (one) => state(one, names) },
      { label: 'Made', kind: 'figure', cell: (one) => timeAgo(one.createdMs, nowMs) },
    ],
  });
}

function state({ outcome, claimedBy }: Report, names: ReadonlyMap<number, string>): Html {
  if (outcome !== undefined) return badge('plain', OUTCOME_WORDS[outcome]);
  if (claimedBy === undefined) return badge('warn', 'Waits');
  return badge('accent', `${names.get(claimedBy) ?? 'Somebody'} has it`);
}

function short(words: string): string {
  const line = words.replaceAll(/\s+/g, ' ');
  const characters = [...line];
  return characters.length <= WORDS_SHOWN_MAX
    ? line
    : `${characters.slice(0, WORDS_SHOWN_MAX).join('')}…`;
}
