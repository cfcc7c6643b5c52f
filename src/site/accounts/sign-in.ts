// The moment in which a browser becomes a member's: a new session, whatever cookie it came with, so that
// nobody can be signed in by a cookie that was put there before.

import type { Visit } from '#site/visit.ts';
import { KNOWN_DAYS, knownBrowserToken } from './known-browsers.ts';
import { openSession } from './sessions.ts';

const DAY_SECONDS = 86_400;

/** Everything that is asked for was shown. */
export async function signIn(visit: Visit, memberId: number): Promise<void> {
  const { parts, address } = visit;
  const device = visit.header('user-agent');
  const token = await openSession(parts, memberId, { address, device });
  visit.cookies.set('session', token, parts.config.sessionIdleDays * DAY_SECONDS);
  const known = await knownBrowserToken(parts, memberId);
  if (known !== '') visit.cookies.set('known', known, KNOWN_DAYS * DAY_SECONDS);
  visit.cookies.remove('visitor');
  visit.cookies.remove('step');
}
