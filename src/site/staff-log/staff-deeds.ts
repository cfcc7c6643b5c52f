// What of a request stands in the staff log: the one place where staff actions are told. Every POST whose
// route demands a permission of the staff comes through here on its way to the handler; a handler of a
// route that is open to members calls `recordDeed` where its staff does what members may not.

import { findMember } from '#site/accounts/members.ts';
import { findTorrentByHash } from '#site/catalogue/find-torrent.ts';
import { CSRF_FIELD } from '#site/components/form.ts';
import type { Permission } from '#site/permissions.ts';
import { ROUTES, type RouteName } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';

const STAFF: readonly Permission[] = ['moderate', 'administer'];
/** They show what a change would do, and change nothing. */
const TRIALS: readonly RouteName[] = ['consoleRulesTry', 'consoleClassesTry'];
/** What must stand nowhere: the log is never erased. */
const SECRET = /pass|secret|token|code|key/i;
const VALUE_CHARS_MAX = 300;

export function isStaffDeed(route: RouteName, permission: Permission): boolean {
  return STAFF.includes(permission) && !TRIALS.includes(route);
}

/** A request as the log tells it. */
export interface Deed {
  /** The page's route, also when the API does the same. */
  readonly action: string;
  /** With the names of its parameters, which the visit knows. */
  readonly path: string;
  /** What was sent, by name. */
  readonly fields: readonly (readonly [name: string, value: string])[];
}

/** The deed of a page's form. */
export function pageDeed({ form }: Visit, route: RouteName): Deed {
  const fields = form
    .names()
    .filter((name) => name !== CSRF_FIELD)
    .map((name) => [name, form.texts(name).join(', ')] as const);
  return { action: route, path: ROUTES[route], fields };
}

/** Writes the line, then lets the handler act; a line behind says when nothing came of it. */
export async function tellDeed(
  visit: Visit,
  deed: Deed,
  act: () => Promise<Response>,
): Promise<Response> {
  const subject = await subjectOf(visit, deed.path);
  const { action } = deed;
  const number = await recordDeed(visit, { action, subject, words: wordsOf(deed) });
  const response = await act().catch(async (error: unknown) => {
    const words = 'It failed: what of it was not done by then was not done.';
    const failed = { action: 'refused', subject: `line ${number}`, words };
    // The failure is what must be told, also when the database that keeps the log is what failed.
    await recordDeed(visit, failed).catch(() => undefined);
    throw error;
  });
  if (response.status >= 400 || visit.saidNo) {
    await recordDeed(visit, {
      action: 'refused',
      subject: `line ${number}`,
      words: `Nothing was changed (${response.status}).`,
    });
  }
  return response;
}

/** Resolves with the line's number, once it is committed. */
export async function recordDeed(
  visit: Visit,
  deed: { readonly action: string; readonly subject: string; readonly words: string },
): Promise<number> {
  const { memberId } = visit.signedIn();
  const { number } = await visit.parts.staffLog.record({ memberId, ...deed });
  return number;
}

async function subjectOf(visit: Visit, path: string): Promise<string> {
  const { sql } = visit.parts;
  if (path.includes('/members/:name')) {
    const member = await findMember(sql, visit.param('name'));
    return member === undefined ? 'a member who is not there' : `member ${member.id}`;
  }
  if (path.includes('/torrents/:hash')) {
    const torrent = await findTorrentByHash(sql, visit.param('hash'));
    return torrent === undefined ? 'a torrent that is not there' : `torrent ${torrent.id}`;
  }
  const parameters = [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => visit.param(name));
  return parameters.join(' ');
}

/** `reason: shared an account; until: 2026-12-24`. */
function wordsOf({ fields }: Deed): string {
  const told: string[] = [];
  for (const [name, text] of fields) {
    const value = text.replaceAll(/\s+/g, ' ').trim();
    if (value === '') continue;
    told.push(`${name}: ${SECRET.test(name) ? '(not told)' : value.slice(0, VALUE_CHARS_MAX)}`);
  }
  return told.join('; ');
}
