// The ways back into an account, and the e-mail address that one of them needs.

import { html } from 'hono/html';
import type { Errors } from '#site/accounts/entry-views.ts';
import { findMember } from '#site/accounts/members.ts';
import { proveMember } from '#site/accounts/prove-member.ts';
import type { RouteHandlers } from '#site/admission.ts';
import { confirmation } from '#site/components/confirmation.ts';
import { notice } from '#site/components/notice.ts';
import { pageHead } from '#site/components/page-head.ts';
import { secret } from '#site/components/secret.ts';
import { inConsole } from '#site/console/console-views.ts';
import { tooMany } from '#site/error-pages.ts';
import { addressKey } from '#site/rate-limit.ts';
import { Refusal } from '#site/refusal.ts';
import { href, hrefTo } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import { addLink, findLink } from './account-links.ts';
import { checkEmail, confirmEmail, emailOf, memberToReset, removeEmail } from './member-email.ts';
import { emailMain, forgotMain, resetMain } from './recovery-views.ts';
import { resetByLink } from './reset-password.ts';
import { linkByStaff } from './staff-link.ts';

const HOUR_MS = 3_600_000;
const MAILED_MS = HOUR_MS;
const CONFIRM_MS = 24 * HOUR_MS;

export const recoveryRoutes: RouteHandlers = {
  forgot: { GET: showForgot, POST: postForgot },
  resetPassword: { GET: showReset, POST: postReset },
  email: { GET: showEmail, POST: postEmail },
  emailRemove: { POST: postEmailRemove },
  emailConfirm: { GET: showConfirm, POST: postConfirm },
  consoleMemberReset: { GET: showStaffReset, POST: postStaffReset },
};

const LINK_OVER =
  'This link was used or is too old. Ask for a new one; the newest is the only one that is good.';

async function showForgot(visit: Visit): Promise<Response> {
  if (visit.viewer !== undefined) return visit.redirect(href('password'));
  const main = forgotMain(visit.csrfToken, visit.parts.mails.isConfigured);
  return await visit.page({ title: 'Forgotten password', main });
}

/** The answer is the same whoever is asked for, and comes before any letter is sent. */
async function postForgot(visit: Visit): Promise<Response> {
  const { parts, settings } = visit;
  if (!parts.mails.isConfigured) return await showForgot(visit);
  const typed = visit.form.text('who').trim().slice(0, 300);
  for (const key of [addressKey(visit.address), `forgot:${typed.toLowerCase()}`]) {
    const waitMs = parts.limits.signUpAddress.take(key);
    if (waitMs > 0) return await visit.error(tooMany(waitMs));
  }
  const found = await memberToReset(parts.sql, typed);
  if (found !== undefined) {
    const { memberId, name, address } = found;
    const token = await addLink(parts, { memberId, purpose: 'reset', lastsMs: MAILED_MS });
    parts.mails.post({
      to: address,
      subject: `${settings.siteName}: a new password`,
      text: `Somebody, most likely you, asked for a new password of ${name} at ${settings.siteName}.\n\nOpen this within an hour to choose one:\n${urlOf(visit, hrefTo('resetPassword', { token }))}\n\nIf it was not you, do nothing: the password stays as it is.\n`,
    });
  }
  const text =
    'If there is such an account with an e-mail address, a letter with a link is on its way.';
  return visit.redirect(href('signIn'), { kind: 'info', text });
}

async function showReset(visit: Visit): Promise<Response> {
  const link = await findLink(visit.parts, visit.param('token'), 'reset');
  if (link === undefined) return await visit.notFound(LINK_OVER);
  return await resetPage(visit, link.name, {});
}

async function postReset(visit: Visit): Promise<Response> {
  const { parts } = visit;
  const waitMs = parts.limits.signUpAddress.take(addressKey(visit.address));
  if (waitMs > 0) return await visit.error(tooMany(waitMs));
  const link = await findLink(parts, visit.param('token'), 'reset');
  if (link === undefined) return await visit.notFound(LINK_OVER);
  const refused = await resetByLink(parts, link, visit.form.text('password'));
  if (refused?.code === 'link-used') return await visit.notFound(LINK_OVER);
  if (refused !== undefined) {
    return await resetPage(visit, link.name, { password: refused.message });
  }
  parts.logger.info('A password was reset by a link', { memberId: link.memberId });
  const text =
    'Your password is changed. Every device is signed out, and tokens of programs ended. Sign in with the new one.';
  return visit.redirect(href('signIn'), { kind: 'good', text });
}

async function resetPage(visit: Visit, name: string, errors: Errors): Promise<Response> {
  const action = hrefTo('resetPassword', { token: visit.param('token') });
  const main = resetMain({ csrf: visit.csrfToken, action, name, errors });
  return await visit.page({ title: 'New password', main, status: statusOf(errors) });
}

async function showEmail(visit: Visit): Promise<Response> {
  return await emailPage(visit, { address: '', errors: {} });
}

async function postEmail(visit: Visit): Promise<Response> {
  const { parts, settings, form } = visit;
  const { memberId, name } = visit.signedIn();
  if (!parts.mails.isConfigured) return await showEmail(visit);
  const address = form.text('address').trim().slice(0, 300);
  const refused = checkEmail(address) ?? (await proveMember(visit));
  if (refused !== undefined) {
    const errors = { [refused.field ?? 'address']: refused.message };
    return await emailPage(visit, { address, errors });
  }
  const waitMs = parts.limits.signUpAddress.take(`email:${memberId}`);
  if (waitMs > 0) return await visit.error(tooMany(waitMs));
  const token = await addLink(parts, {
    ...{ memberId, purpose: 'email', lastsMs: CONFIRM_MS, address },
  });
  parts.mails.post({
    to: address,
    subject: `${settings.siteName}: confirm your address`,
    text: `${name} at ${settings.siteName} gave this address.\n\nOpen this within a day to confirm it:\n${urlOf(visit, hrefTo('emailConfirm', { token }))}\n\nIf that was not you, do nothing.\n`,
  });
  const text = `A letter is on its way to ${address}. Open the link in it within a day.`;
  return visit.redirect(href('email'), { kind: 'info', text });
}

async function postEmailRemove(visit: Visit): Promise<Response> {
  const refused = await proveMember(visit);
  if (refused !== undefined) {
    const errors = { [refused.field ?? 'current']: refused.message };
    return await emailPage(visit, { address: '', errors });
  }
  await removeEmail(visit.parts.sql, visit.signedIn().memberId);
  return visit.redirect(href('email'), { kind: 'good', text: 'The address is removed.' });
}

async function emailPage(
  visit: Visit,
  form: { readonly address: string; readonly errors: Errors },
): Promise<Response> {
  const { parts } = visit;
  const main = emailMain({
    csrf: visit.csrfToken,
    current: await emailOf(parts.sql, visit.signedIn().memberId),
    isConfigured: parts.mails.isConfigured,
    ...form,
  });
  const status = statusOf(form.errors);
  return await visit.page({ title: 'E-mail', main, section: 'me', status });
}

/** The link itself changes nothing: programs that look into letters open links, too. */
async function showConfirm(visit: Visit): Promise<Response> {
  const token = visit.param('token');
  const link = await findLink(visit.parts, token, 'email');
  if (link === undefined) return await visit.notFound(LINK_OVER);
  const main = confirmation({
    question: 'Confirm this address?',
    consequence: html`<p>Letters about the account of ${link.name} go to <strong>${link.address}</strong>, and a new password can be asked for there.</p>`,
    action: hrefTo('emailConfirm', { token }),
    csrf: visit.csrfToken,
    confirmLabel: 'Confirm the address',
    cancelHref: href('home'),
  });
  return await visit.page({ title: 'Confirm', main });
}

async function postConfirm(visit: Visit): Promise<Response> {
  const { parts, settings } = visit;
  const link = await findLink(parts, visit.param('token'), 'email');
  if (link === undefined) return await visit.notFound(LINK_OVER);
  const done = await confirmEmail(parts, link);
  if (done instanceof Refusal) {
    return visit.redirect(href('home'), { kind: 'bad', text: done.message });
  }
  const { before } = done;
  if (before !== undefined && before.toLowerCase() !== link.address.toLowerCase()) {
    parts.mails.post({
      to: before,
      subject: `${settings.siteName}: your address was changed`,
      text: `The account ${link.name} at ${settings.siteName} has another e-mail address now.\n\nIf that was not you, tell the staff.\n`,
    });
  }
  parts.logger.info('An e-mail address was confirmed', { memberId: link.memberId });
  const to = visit.viewer === undefined ? href('signIn') : href('email');
  return visit.redirect(to, { kind: 'good', text: `${link.address} is confirmed.` });
}

async function showStaffReset(visit: Visit): Promise<Response> {
  const member = await findMember(visit.parts.sql, visit.param('name'));
  if (member === undefined) return await visit.notFound('No member has this name.');
  const { name } = member;
  const main = confirmation({
    question: `Make a link for a new password of ${name}?`,
    consequence: html`<p>Whoever opens it within a day chooses the password of ${name}, signs them out everywhere and ends the tokens of their programs. Send it to ${name} alone, and be sure that it is them. Their second factor stays.</p>`,
    action: hrefTo('consoleMemberReset', { name }),
    csrf: visit.csrfToken,
    confirmLabel: 'Make the link',
    cancelHref: hrefTo('consoleMember', { name }),
  });
  return await visit.page({ title: 'New password', main, section: 'console' });
}

/** The link is shown in the answer itself, because nothing keeps it for a page after a redirect. */
async function postStaffReset(visit: Visit): Promise<Response> {
  const link = await linkByStaff(visit, visit.param('name'));
  if (link === undefined) return await visit.notFound('No active member has this name.');
  const { member, url } = link;
  const body = html`${pageHead({
    title: `A link for ${member.name}`,
    crumbs: [{ label: member.name, href: hrefTo('consoleMember', { name: member.name }) }],
  })}${notice('good', html`<strong>The link is ready</strong><p>It is good for a day and works once. It is not shown again.</p>${secret(url)}`)}`;
  const main = inConsole('members', body);
  return await visit.page({ title: 'New password', main, section: 'console' });
}

function urlOf(visit: Visit, path: string): string {
  return visit.addresses.siteUrl + path;
}

function statusOf(errors: Errors): 200 | 422 {
  return Object.keys(errors).length === 0 ? 200 : 422;
}
