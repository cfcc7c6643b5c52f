// A member's standing on their page: the state in a word, the reasons in sentences.

import { html } from 'hono/html';
import { memberHistories } from '#accounting/rules/member-histories.ts';
import type { StandingState } from '#accounting/rules/ratio-watch.ts';
import { type MemberStanding, readStanding } from '#accounting/rules/standings.ts';
import { type Buffer, bufferOf } from '#accounting/strategies/buffer.ts';
import { seedTimeSettings } from '#accounting/strategies/make-strategy.ts';
import { type Obligation, obligationsOf } from '#accounting/strategies/obligations.ts';
import type { Verdict } from '#accounting/strategies/strategy.ts';
import { findingWords } from '#accounting/strategies/verdict-words.ts';
import { assert } from '#base/assert.ts';
import { type BadgeKind, badge } from '#site/components/badge.ts';
import type { Stat } from '#site/components/facts.ts';
import { timeUntil } from '#site/components/figures.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { panel } from '#site/components/panel.ts';
import { table } from '#site/components/table.ts';
import { formatBytes } from '#site/format/bytes.ts';
import { formatRatio } from '#site/format/ratio.ts';
import { formatDuration, formatUntil } from '#site/format/time.ts';
import type { Sql } from '#sql/sql.ts';
import type { RuleBook } from './rule-book.ts';
import { NUMBER_WORDS, torrentCatalogue } from './standing-effects.ts';

export interface StandingView {
  readonly standing: MemberStanding['standing'];
  /** Of this moment; the standing itself moves with the next check. */
  readonly verdict: Verdict;
  /** Undefined where no ratio is asked for. */
  readonly buffer: Buffer | undefined;
  /** Empty unless the rules ask for seeding by torrent. */
  readonly obligations: readonly Obligation[];
  readonly watchBytesMax: number;
  readonly nowMs: number;
}

/** What the rules say of a member right now. */
export async function standingView(
  world: {
    readonly sql: Sql;
    readonly ruleBook: RuleBook;
  },
  member: { readonly id: number; readonly createdMs: number },
  nowMs: number,
): Promise<StandingView> {
  const { sql } = world;
  const { strategy, rules } = await world.ruleBook.current();
  const judged = { memberId: member.id, joinedMs: member.createdMs };
  const histories = { sql, torrents: torrentCatalogue(sql) };
  const [history] = await memberHistories(histories, [judged], nowMs);
  assert(history !== undefined, 'a history for each member that is asked for');
  const verdict = strategy.judge(history);
  return {
    standing: (await readStanding(sql, member.id)).standing,
    verdict,
    buffer: bufferOf(verdict, history),
    obligations:
      strategy.name === 'seed-time' ? obligationsOf(seedTimeSettings(rules), history) : [],
    watchBytesMax: rules.watchBytesMax,
    nowMs,
  };
}

const OBLIGATIONS_SHOWN = 50;

const STATES: Readonly<Record<StandingState, readonly [BadgeKind, string]>> = {
  good: ['good', 'In good standing'],
  warned: ['warn', 'About to fall short'],
  watched: ['warn', 'On ratio watch'],
  restricted: ['bad', 'May seed, may not download'],
};

export function standingPanel(view: StandingView): Html {
  const { standing, verdict } = view;
  const [kind, words] = STATES[standing.state];
  const reasons = verdict.findings.map(
    (finding) => html`<p>${findingWords(finding, NUMBER_WORDS)}</p>`,
  );
  return panel({
    title: 'Standing',
    body: html`<p>${badge(kind, words)}</p>${watchWords(view)}${reasons}`,
    id: 'standing',
  });
}

/** The requirement and the distance from it, for the figures at the head of a profile. */
export function bufferStats({ buffer }: StandingView): readonly Stat[] {
  if (buffer === undefined) return [];
  const { kind, bytes, required } = buffer;
  const how = html`<a href="#standing">how it comes about</a>`;
  const asked =
    required === undefined
      ? { label: 'Required ratio', value: 'none yet', note: how }
      : { label: 'Required ratio', value: formatRatio(required), note: how };
  return kind === 'room'
    ? [
        asked,
        { label: 'Buffer', value: formatBytes(bytes), note: 'may be taken before more is asked' },
      ]
    : [
        asked,
        { label: 'To give', value: formatBytes(bytes), note: 'until the requirement is met' },
      ];
}

const OBLIGATION_STATES: Readonly<Record<Obligation['state'], readonly [BadgeKind, string]>> = {
  seeding: ['good', 'Seeding'],
  unwanted: ['plain', 'Nobody wants it now'],
  away: ['warn', 'Not seeding'],
};

/** What is still to be seeded, torrent by torrent. */
export function obligationsPanel({ obligations, nowMs }: StandingView): Html {
  if (obligations.length === 0) return NOTHING;
  return panel({
    title: 'To be seeded',
    flush: true,
    id: 'obligations',
    body: table({
      caption: 'Torrents that are still to be seeded, the soonest due first',
      rows: obligations.slice(0, OBLIGATIONS_SHOWN),
      columns: [
        {
          label: 'Torrent',
          kind: 'title',
          cell: ({ name, state }) => html`${name} ${badge(...OBLIGATION_STATES[state])}`,
        },
        {
          label: 'Seed for',
          kind: 'figure',
          cell: (one) => formatDuration(one.seedSecondsLeft * 1000),
        },
        { label: 'Or give', kind: 'figure', cell: (one) => formatBytes(one.uploadedBytesLeft) },
        { label: 'Due', kind: 'figure', cell: (one) => dueWords(one, nowMs) },
      ],
    }),
  });
}

function dueWords({ dueMs }: Obligation, nowMs: number): string | Html {
  if (dueMs === undefined) return 'no date';
  return dueMs <= nowMs ? badge('bad', 'Hit and run') : timeUntil(dueMs, nowMs);
}

function watchWords({ standing, verdict, watchBytesMax, nowMs }: StandingView): Html {
  const { state, watchEndsMs } = standing;
  if (state === 'watched') {
    return html`<p>The watch ends ${formatUntil(watchEndsMs, nowMs)}, or when more than ${formatBytes(watchBytesMax)} were taken during it.</p>`;
  }
  if (state === 'good' && verdict.state === 'short') {
    return html`<p>With the next check you are put on watch.</p>`;
  }
  if (state === 'restricted' && verdict.state !== 'short') {
    return html`<p>The requirement is met again: with the next check you may download.</p>`;
  }
  return NOTHING;
}
