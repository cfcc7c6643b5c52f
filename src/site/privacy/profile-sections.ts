// The sections of a profile that a member shows to other members or keeps to themselves. The staff sees all
// of them, and so does the member. What stands nowhere here (keys, addresses, standing, points) is never
// shown to other members.

import type { AccountTables } from '#site/accounts/account-tables.ts';
import type { Sql } from '#sql/sql.ts';

export const PROFILE_SECTIONS = ['totals', 'visits', 'chart', 'clients', 'history'] as const;
export type ProfileSection = (typeof PROFILE_SECTIONS)[number];

/** As long as a member says nothing. */
const SHOWN_DEFAULT: readonly ProfileSection[] = ['totals', 'visits'];
const IDS_AT_ONCE = 500;

export interface PrivacyTables extends AccountTables {
  member_privacy: {
    member_id: number;
    /** Names of sections with a space between. */
    shown: string;
  };
}

/** What each of them shows to other members. */
export async function shownSections(
  sql: Sql,
  memberIds: readonly number[],
): Promise<ReadonlyMap<number, ReadonlySet<ProfileSection>>> {
  const all = new Map(memberIds.map((id) => [id, new Set(SHOWN_DEFAULT)]));
  for (let from = 0; from < memberIds.length; from += IDS_AT_ONCE) {
    const rows = await sql
      .read<PrivacyTables>()
      .selectFrom('member_privacy')
      .selectAll()
      .where('member_id', 'in', memberIds.slice(from, from + IDS_AT_ONCE))
      .execute();
    for (const row of rows) all.set(row.member_id, new Set(sectionsIn(row.shown.split(' '))));
  }
  return all;
}

/** What one member shows to other members. */
export async function shownBy(sql: Sql, memberId: number): Promise<ReadonlySet<ProfileSection>> {
  return (await shownSections(sql, [memberId])).get(memberId) ?? new Set();
}

export async function showSections(
  sql: Sql,
  memberId: number,
  sections: readonly ProfileSection[],
): Promise<void> {
  const shown = sections.join(' ');
  await sql.transaction<PrivacyTables, void>(async (transaction) => {
    await transaction
      .insertInto('member_privacy')
      .values({ member_id: memberId, shown })
      .onConflict((conflict) => conflict.column('member_id').doUpdateSet({ shown }))
      .execute();
  });
}

/** Those of the words that are sections. */
export function sectionsIn(words: readonly string[]): readonly ProfileSection[] {
  return PROFILE_SECTIONS.filter((section) => words.includes(section));
}
