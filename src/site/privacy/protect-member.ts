// A protected member's addresses are written nowhere: not in the log, not with a session. Those that
// stood in SQL go at once; the next run of the job forget-addresses takes them out of the log.

import { type AccountsWorld, changeMember, type Member } from '#site/accounts/members.ts';
import type { Refusal } from '#site/refusal.ts';

export async function protectMember(
  world: AccountsWorld,
  name: string,
  isProtected: boolean,
): Promise<Member | Refusal> {
  return await changeMember(world, name, async (transaction, member) => {
    if (isProtected) {
      await transaction
        .updateTable('session')
        .set({ address: '' })
        .where('member_id', '=', member.id)
        .execute();
    }
    return { is_protected: isProtected ? 1 : 0 };
  });
}
