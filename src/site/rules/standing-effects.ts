// What the site does when a member's standing moves: tells the member in words, and the trackers
// whether the member may take more. And what the rules ask of the site: members and torrents.

import type { JudgedMembers, TorrentCatalogue } from '#accounting/rules/member-histories.ts';
import { mayLeech, type StandingState } from '#accounting/rules/ratio-watch.ts';
import type { JudgedTransition, TransitionEffects } from '#accounting/rules/standings.ts';
import { findingWords, type NumberWords } from '#accounting/strategies/verdict-words.ts';
import type { AccountTables } from '#site/accounts/account-tables.ts';
import { setMayLeech } from '#site/accounts/member-rights.ts';
import type { CatalogueTables } from '#site/catalogue/catalogue-tables.ts';
import { formatBytes } from '#site/format/bytes.ts';
import { formatRatio } from '#site/format/ratio.ts';
import { formatDuration, formatUntil } from '#site/format/time.ts';
import { type NewNotice, type NoticeKind, sendNotices } from '#site/notices/notices.ts';
import { href } from '#site/routes.ts';
import type { Sql } from '#sql/sql.ts';

/** How the site writes the numbers of a verdict. */
export const NUMBER_WORDS: NumberWords = {
  bytes: formatBytes,
  duration: formatDuration,
  quotient: (quotient) => (Number.isFinite(quotient) ? formatRatio(quotient) : '∞'),
};

export function standingEffects(afterCommit: () => void): TransitionEffects {
  return {
    async apply(transaction, made, nowMs) {
      await sendNotices(
        transaction,
        made.map((one) => noticeOf(one, nowMs)),
        nowMs,
      );
      const changed = made.filter(
        ({ transition: { from, to } }) => mayLeech(from) !== mayLeech(to.state),
      );
      await setMayLeech(
        transaction,
        changed.map(({ memberId, transition }) => ({
          memberId,
          mayLeech: mayLeech(transition.to.state),
        })),
      );
      // The relay looks for rows that are committed; being early costs one look.
      afterCommit();
    },
  };
}

const TITLES: Readonly<Record<StandingState, string>> = {
  good: 'You are in good standing again',
  warned: 'You are about to fall short',
  watched: 'You are on ratio watch',
  restricted: 'You may not take more for now',
};

const KINDS: Readonly<Record<StandingState, NoticeKind>> = {
  good: 'good',
  warned: 'warn',
  watched: 'warn',
  restricted: 'bad',
};

function noticeOf({ memberId, transition, verdict }: JudgedTransition, nowMs: number): NewNotice {
  const { state, watchEndsMs } = transition.to;
  const consequence: Readonly<Record<StandingState, string>> = {
    good: 'You may take whatever you like again.',
    warned: 'Nothing is taken from you yet.',
    watched: `You have until ${formatUntil(watchEndsMs, nowMs).replace('in ', '')} from now to give back what is missing; taking much more ends the watch early. After that you may only seed until the requirement is met.`,
    restricted:
      'Your clients may seed, and may not download, until the requirement is met. It is lifted by itself within an hour of that.',
  };
  const reasons = verdict.findings.map((finding) => findingWords(finding, NUMBER_WORDS));
  return {
    memberId,
    kind: KINDS[state],
    title: TITLES[state],
    body: [consequence[state], ...reasons].join('\n'),
    link: href('me'),
    once: `standing:${state}:${transition.to.sinceMs}`,
  };
}

/** Active members; admins are judged like everybody. */
export function judgedMembers(sql: Sql): JudgedMembers {
  return {
    async page(after, limit) {
      const rows = await sql
        .read<AccountTables>()
        .selectFrom('member')
        .select(['id', 'created_ms'])
        .where('state', '=', 'active')
        .where('id', '>', after)
        .orderBy('id')
        .limit(limit)
        .execute();
      return rows.map((row) => ({ memberId: row.id, joinedMs: row.created_ms }));
    },
    async count() {
      const row = await sql
        .read<AccountTables>()
        .selectFrom('member')
        .select((of) => of.fn.countAll<number>().as('rows'))
        .where('state', '=', 'active')
        .executeTakeFirstOrThrow();
      return row.rows;
    },
  };
}

export function torrentCatalogue(sql: Sql): TorrentCatalogue {
  return {
    async facts(torrentIds) {
      if (torrentIds.length === 0) return new Map();
      const rows = await sql
        .read<CatalogueTables>()
        .selectFrom('torrent')
        .select(['id', 'title', 'size_bytes', 'leechers', 'is_exempt'])
        .where('id', 'in', torrentIds)
        .where('removed_ms', 'is', null)
        .execute();
      return new Map(
        rows.map((row) => [
          row.id,
          {
            name: row.title,
            sizeBytes: row.size_bytes,
            leechers: row.leechers,
            isExempt: row.is_exempt === 1,
          },
        ]),
      );
    },
  };
}

/** In bytes, of those that were ever here. At most 500 ids. */
export async function torrentSizes(
  sql: Sql,
  torrentIds: readonly number[],
): Promise<ReadonlyMap<number, number>> {
  if (torrentIds.length === 0) return new Map();
  const rows = await sql
    .read<CatalogueTables>()
    .selectFrom('torrent')
    .select(['id', 'size_bytes'])
    .where('id', 'in', torrentIds)
    .execute();
  return new Map(rows.map((row) => [row.id, row.size_bytes]));
}

/** Those that still exist, with their seeders as last counted. At most 500 ids. */
export async function bonusTorrents(
  sql: Sql,
  torrentIds: readonly number[],
): Promise<ReadonlyMap<number, { readonly sizeBytes: number; readonly seeders: number }>> {
  if (torrentIds.length === 0) return new Map();
  const rows = await sql
    .read<CatalogueTables>()
    .selectFrom('torrent')
    .select(['id', 'size_bytes', 'seeders'])
    .where('id', 'in', torrentIds)
    .where('removed_ms', 'is', null)
    .execute();
  return new Map(rows.map((row) => [row.id, { sizeBytes: row.size_bytes, seeders: row.seeders }]));
}
