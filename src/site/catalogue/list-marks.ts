// What the list says of each torrent beside its own columns: whether the archive keeps it, what counts
// of it for the reader now, and whether they still owe it something.

import type { Kysely } from 'kysely';
import { type Credit, creditAt, REAL_BYTES } from '#accounting/credit.ts';
import { memberHistories } from '#accounting/rules/member-histories.ts';
import { damagedTorrents } from '#archive/catalogue/archive-health.ts';
import type { ArchiveTables } from '#archive/catalogue/archive-tables.ts';
import { type Cover, coversOf } from '#site/covers/covers.ts';
import { windowsOfTorrents } from '#site/credit/credit-windows.ts';
import type { RuleBook } from '#site/rules/rule-book.ts';
import { torrentCatalogue } from '#site/rules/standing-effects.ts';
import { fixedQuery } from '#sql/fixed-query.ts';
import { type GivenList, givenList, isOneOf } from '#sql/given-ids.ts';
import type { Sql } from '#sql/sql.ts';

export interface ListMarks {
  readonly isKept: boolean;
  /** The archive's copy is known to lack something. */
  readonly isDamaged: boolean;
  readonly cover: Cover | undefined;
  /** For the reader; all of it when everything counts in full. */
  readonly credit: Credit;
}

const NO_MARKS: ListMarks = {
  isKept: false,
  isDamaged: false,
  cover: undefined,
  credit: REAL_BYTES,
};

const keptRows = fixedQuery((reading: Kysely<ArchiveTables>, given: { ids: GivenList }) =>
  reading
    .selectFrom('archive_torrent')
    .select('torrent_id')
    .where(isOneOf(reading, 'torrent_id', given.ids)),
);

/** For each of the ids. */
export async function listMarks(
  sql: Sql,
  asked: { readonly memberId: number; readonly ids: readonly number[]; readonly nowMs: number },
): Promise<(id: number) => ListMarks> {
  const { memberId, ids, nowMs } = asked;
  if (ids.length === 0) return () => NO_MARKS;
  const reading = sql.read<ArchiveTables>();
  const [kept, damaged, windows, covers] = await Promise.all([
    keptRows(reading, { ids: givenList(reading, ids) }),
    damagedTorrents(reading, {}),
    windowsOfTorrents(sql, { memberId, torrentIds: ids }, nowMs),
    coversOf(sql, ids),
  ]);
  const keptIds = new Set(kept.map((row) => row.torrent_id));
  const damagedIds = new Set(damaged.map((row) => row.torrent_id));
  return (id) => {
    const own = windows.filter(({ torrentId }) => torrentId === 0 || torrentId === id);
    const credit = creditAt(REAL_BYTES, own, nowMs);
    const isKept = keptIds.has(id);
    return { isKept, isDamaged: isKept && damagedIds.has(id), cover: covers.get(id), credit };
  };
}

/**
 * Torrents that a member left before they gave back what the rules ask for each: where the rules ask
 * for time. Empty where they judge all torrents together.
 */
export async function owedTorrents(
  parts: { readonly sql: Sql; readonly ruleBook: RuleBook },
  memberId: number,
  nowMs: number,
): Promise<ReadonlySet<number>> {
  const { sql } = parts;
  const { strategy } = await parts.ruleBook.current();
  if (strategy.name !== 'seed-time') return new Set();
  // When they joined matters to no rule for single torrents.
  const judged = { memberId, joinedMs: 0 };
  const [history] = await memberHistories(
    { sql, torrents: torrentCatalogue(sql) },
    [judged],
    nowMs,
  );
  const findings = history === undefined ? [] : strategy.judge(history).findings;
  const owed = findings.flatMap((finding) =>
    finding.kind === 'hit-and-run' || finding.kind === 'left-early' ? [finding.torrentId] : [],
  );
  return new Set(owed);
}
