// What concerns the safety of an account is told to its member each time it happens, so that they see
// what somebody else did with it.

import type { Transaction } from 'kysely';
import { href } from '#site/routes.ts';
import { sendNotices } from './notices.ts';

export async function tellOwner<Tables>(
  transaction: Transaction<Tables>,
  nowMs: number,
  what: { readonly memberId: number; readonly title: string; readonly body: string },
): Promise<void> {
  const notice = {
    ...what,
    kind: 'info',
    link: href('sessions'),
    once: `account ${what.title} ${nowMs}`,
  } as const;
  await sendNotices(transaction, [notice], nowMs);
}
