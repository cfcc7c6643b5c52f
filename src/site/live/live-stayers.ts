// Who may go on watching counts: whose session is not over, of active members, in networks that are let in.

import { livingSessions, type SessionsWorld } from '#site/accounts/sessions.ts';
import type { AddressBans } from '#site/moderation/address-bans.ts';
import type { LiveWatcher } from './live-counts.ts';

export async function stayersOf(
  world: Pick<SessionsWorld, 'sql' | 'clock'> & { readonly addressBans: AddressBans },
  watching: readonly LiveWatcher[],
): Promise<ReadonlySet<LiveWatcher>> {
  const living = await livingSessions(
    world,
    watching.map((one) => one.sessionId),
  );
  const banned = new Set<string>();
  for (const address of new Set(watching.map((one) => one.address))) {
    if ((await world.addressBans.find(address)) !== undefined) banned.add(address);
  }
  return new Set(
    watching.filter(({ sessionId, address }) => living.has(sessionId) && !banned.has(address)),
  );
}
