// What the site does when a member's class changes: tells them in words. And what classes ask of the
// site: how many torrents each member has in the catalogue.

import { classFindingWords } from '#accounting/classes/class-words.ts';
import type { ClassEffects, MadeStep } from '#accounting/classes/member-classes.ts';
import type { CatalogueTables } from '#site/catalogue/catalogue-tables.ts';
import { formatDuration } from '#site/format/time.ts';
import { type NewNotice, sendNotices } from '#site/notices/notices.ts';
import { href } from '#site/routes.ts';
import { NUMBER_WORDS } from '#site/rules/standing-effects.ts';
import type { Sql } from '#sql/sql.ts';

export const classEffects: ClassEffects = async (transaction, made, nowMs) => {
  // Who settles again was warned, and has seen why; a notice for it would be noise.
  const told = made.filter(({ transition }) => transition.step !== 'settled');
  await sendNotices(
    transaction,
    told.map((one) => noticeOf(one, nowMs)),
    nowMs,
  );
};

function noticeOf({ memberId, transition }: MadeStep, nowMs: number): NewNotice {
  const { step, from, to, findings } = transition;
  const reasons = findings.map((finding) => classFindingWords(finding, NUMBER_WORDS, 'you'));
  const common = { memberId, link: href('me'), once: `class:${step}:${to.name}:${nowMs}` };
  switch (step) {
    case 'promoted':
      return {
        ...common,
        kind: 'good',
        title: `You are ${withArticle(to.name)} now`,
        body: reasons.join('\n'),
      };
    case 'demoted':
      return {
        ...common,
        kind: 'warn',
        title: `You are ${withArticle(to.name)} now`,
        body: [`You are no longer ${withArticle(from)}.`, ...reasons].join('\n'),
      };
    default:
      return {
        ...common,
        kind: 'warn',
        title: `You are about to lose your class, ${from}`,
        body: [
          `Unless this changes within ${formatDuration(to.warnedUntilMs - nowMs)}, you go down by one class.`,
          ...reasons,
        ].join('\n'),
      };
  }
}

function withArticle(name: string): string {
  return /^[aeiou]/i.test(name) ? `an ${name}` : `a ${name}`;
}

/** At most 500 ids. */
export async function uploadCounts(
  sql: Sql,
  memberIds: readonly number[],
): Promise<ReadonlyMap<number, number>> {
  if (memberIds.length === 0) return new Map();
  const rows = await sql
    .read<CatalogueTables>()
    .selectFrom('torrent')
    .select((of) => ['uploader_id', of.fn.countAll<number>().as('torrents')])
    .where('uploader_id', 'in', memberIds)
    .where('removed_ms', 'is', null)
    .groupBy('uploader_id')
    .execute();
  return new Map(rows.map((row) => [row.uploader_id, row.torrents]));
}
