// Handlers of one's own account. Each model call takes the signed-in member's id, so that an id in a
// path can never reach what is somebody else's.

import { Refusal } from '#site/refusal.ts';
import { href, hrefTo } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import { changePassword } from './credentials.ts';
import type { Errors } from './entry-views.ts';
import { addInvite, listInvites, revokeInvite } from './invites.ts';
import { KNOWN_DAYS, knownBrowserToken } from './known-browsers.ts';
import { invitesMain, passwordMain, revokeAllMain, sessionsMain } from './own-views.ts';
import { proveMember } from './prove-member.ts';
import { endAllSessions, endSession, listSessions } from './sessions.ts';

export async function showPassword(visit: Visit): Promise<Response> {
  return await passwordPage(visit, {});
}

export async function postPassword(visit: Visit): Promise<Response> {
  const { parts, form } = visit;
  const { memberId, sessionId, name } = visit.signedIn();
  const change = { next: form.text('password'), sessionId };
  const refused = (await proveMember(visit)) ?? (await changePassword(parts, memberId, change));
  if (refused !== undefined) {
    return await passwordPage(visit, { [refused.field ?? 'current']: refused.message });
  }
  const known = await knownBrowserToken(parts, memberId);
  visit.cookies.set('known', known, KNOWN_DAYS * 86_400);
  const text = 'Your password is changed. Every other device is signed out.';
  return visit.redirect(hrefTo('member', { name }), { kind: 'good', text });
}

async function passwordPage(visit: Visit, errors: Errors): Promise<Response> {
  const main = passwordMain(visit.csrfToken, visit.signedIn().name, errors);
  const status = Object.keys(errors).length === 0 ? 200 : 422;
  return await visit.page({ title: 'Password', main, section: 'me', status });
}

export async function showSessions(visit: Visit): Promise<Response> {
  const { memberId, sessionId } = visit.signedIn();
  const main = sessionsMain({
    csrf: visit.csrfToken,
    sessions: await listSessions(visit.parts, memberId),
    currentId: sessionId,
    nowMs: visit.nowMs,
  });
  return await visit.page({ title: 'Sessions', main, section: 'me' });
}

export async function postSessionRevoke(visit: Visit): Promise<Response> {
  const { memberId, sessionId } = visit.signedIn();
  const id = visit.numberParam('id');
  if (id === undefined || !(await endSession(visit.parts.sql, memberId, id))) {
    return await visit.notFound('This session is over already.');
  }
  if (id === sessionId) {
    visit.cookies.remove('session');
    return visit.redirect(href('signIn'), { kind: 'good', text: 'You are signed out.' });
  }
  return visit.redirect(href('sessions'), { kind: 'good', text: 'That device is signed out.' });
}

export async function showRevokeAll(visit: Visit): Promise<Response> {
  const sessions = await listSessions(visit.parts, visit.signedIn().memberId);
  const main = revokeAllMain(visit.csrfToken, sessions.length);
  return await visit.page({ title: 'Sign out everywhere', main, section: 'me' });
}

export async function postRevokeAll(visit: Visit): Promise<Response> {
  await endAllSessions(visit.parts.sql, visit.signedIn().memberId);
  visit.cookies.remove('session');
  return visit.redirect(href('signIn'), { kind: 'good', text: 'You are signed out everywhere.' });
}

export async function showInvites(visit: Visit): Promise<Response> {
  return await invitesPage(visit, {});
}

/** The link is shown in the answer itself, because nothing keeps it for a page after a redirect. */
export async function postInvite(visit: Visit): Promise<Response> {
  const note = visit.form.text('note');
  const made = await addInvite(visit.parts, visit.signedIn().memberId, note);
  if (made instanceof Refusal) {
    return await invitesPage(visit, { note, errors: { note: made.message } });
  }
  const newUrl = visit.addresses.siteUrl + hrefTo('join', { code: made.code });
  return await invitesPage(visit, { newUrl });
}

async function invitesPage(
  visit: Visit,
  form: { readonly note?: string; readonly errors?: Errors; readonly newUrl?: string },
): Promise<Response> {
  const { parts } = visit;
  const main = invitesMain({
    csrf: visit.csrfToken,
    invites: await listInvites(parts, visit.signedIn().memberId),
    nowMs: visit.nowMs,
    days: parts.config.inviteDays,
    note: form.note ?? '',
    errors: form.errors ?? {},
    isClosed: visit.settings.signUpMode === 'closed',
    ...(form.newUrl === undefined ? {} : { newUrl: form.newUrl }),
  });
  return await visit.page({
    title: 'Invites',
    main,
    section: 'me',
    status: form.errors === undefined ? 200 : 422,
  });
}

export async function postInviteRevoke(visit: Visit): Promise<Response> {
  const id = visit.numberParam('id');
  const done = id !== undefined && (await revokeInvite(visit.parts, visit.signedIn().memberId, id));
  if (!done) return await visit.notFound('This invite is not open any more.');
  return visit.redirect(href('invites'), { kind: 'good', text: 'The invite is void now.' });
}
