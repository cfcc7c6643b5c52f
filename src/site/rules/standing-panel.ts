// A member's standing on their page: the state in a word, the reasons in sentences.

import { html } from 'hono/html';
import { memberHistories } from '#accounting/rules/member-histories.ts';
import type { StandingState } from '#accounting/rules/ratio-watch.ts';
import { type MemberStanding, readStanding } from '#accounting/rules/standings.ts';
import type { Verdict } from '#accounting/strategies/strategy.ts';
import { findingWords } from '#accounting/strategies/verdict-words.ts';
import { type BadgeKind, badge } from '#site/components/badge.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { panel } from '#site/components/panel.ts';
import { formatBytes } from '#site/format/bytes.ts';
import { formatUntil } from '#site/format/time.ts';
import type { Sql } from '#sql/sql.ts';
import type { RuleBook } from './rule-book.ts';
import { NUMBER_WORDS, torrentCatalogue } from './standing-effects.ts';

export interface StandingView {
  readonly standing: MemberStanding['standing'];
  /** Of this moment; the standing itself moves with the next check. */
  readonly verdict: Verdict;
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
  return {
    standing: (await readStanding(sql, member.id)).standing,
    verdict: strategy.judge(history!),
    watchBytesMax: rules.watchBytesMax,
    nowMs,
  };
}

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
