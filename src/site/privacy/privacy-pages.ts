// What the site holds on a member, on their own page: all of it as a file, and the way to have it
// erased.

import { html } from 'hono/html';
import { messageOf } from '#base/errors.ts';
import { authenticate } from '#site/accounts/credentials.ts';
import { findMemberById } from '#site/accounts/members.ts';
import type { RouteHandlers } from '#site/admission.ts';
import { linkButton } from '#site/components/button.ts';
import { confirmation } from '#site/components/confirmation.ts';
import { errorSummary, textField } from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { notice } from '#site/components/notice.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { plural } from '#site/format/number.ts';
import { Refusal } from '#site/refusal.ts';
import { href } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import { eraseMember } from './erase-member.ts';
import { exportMember } from './member-export.ts';

export const privacyRoutes: RouteHandlers = {
  myData: { GET: showData },
  myDataExport: { GET: getExport },
  accountErase: { GET: showErase, POST: postErase },
};

async function showData(visit: Visit): Promise<Response> {
  const { memberId } = visit.signedIn();
  const member = await findMemberById(visit.parts.sql, memberId);
  const main = dataMain({
    days: visit.parts.addressDays,
    isProtected: member?.isProtected === true,
  });
  return await visit.page({ title: 'Your data', main, section: 'me' });
}

async function getExport(visit: Visit): Promise<Response> {
  const answer = await exportAnswer(visit);
  if (answer !== undefined) return answer;
  const text = 'An export is being made already. Try again when it is done.';
  return visit.redirect(href('myData'), { kind: 'warn', text });
}

/** All of it as a file, made while it is sent; undefined while another one is being made. */
export async function exportAnswer(visit: Visit): Promise<Response | undefined> {
  const { parts } = visit;
  const { memberId, name } = visit.signedIn();
  const member = await findMemberById(parts.sql, memberId);
  if (member === undefined) return await visit.notFound();
  const end = parts.exports.begin(memberId);
  if (end === undefined) return undefined;
  const pieces = exportMember(parts, member, { signal: visit.request.signal });
  const bytes = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { value, done } = await pieces.next();
        if (done !== true) {
          controller.enqueue(new TextEncoder().encode(value));
          return;
        }
        end();
        controller.close();
      } catch (error) {
        end();
        parts.logger.warn('An export broke off', { memberId, error: messageOf(error) });
        controller.error(error);
      }
    },
    async cancel() {
      end();
      await pieces.return(undefined);
    },
  });
  return visit.stream(bytes, { name: `${name}.json`, type: 'application/json' });
}

async function showErase(visit: Visit): Promise<Response> {
  return await erasePage(visit, {});
}

async function postErase(visit: Visit): Promise<Response> {
  const { parts, form } = visit;
  const { name, memberId } = visit.signedIn();
  if (parts.limits.signInName.take(`member:${memberId}`) > 0) {
    return await erasePage(visit, { password: 'Too many attempts; wait a minute.' });
  }
  const known = await authenticate(parts, name, form.text('password').slice(0, 1000));
  if (known?.id !== memberId) {
    return await erasePage(visit, { password: 'This is not your password.' });
  }
  const erased = await eraseMember(parts, name);
  if (erased instanceof Refusal) return await erasePage(visit, { password: erased.message });
  parts.logger.info('A member erased their account', { memberId });
  visit.cookies.remove('session');
  visit.cookies.remove('known');
  return visit.redirect(href('signIn'), { kind: 'good', text: 'Your account is erased.' });
}

async function erasePage(
  visit: Visit,
  errors: Readonly<Record<string, string>>,
): Promise<Response> {
  const main = eraseMain(visit.csrfToken, errors);
  const status = Object.keys(errors).length === 0 ? 200 : 422;
  return await visit.page({ title: 'Erase your account', main, section: 'me', status });
}

function dataMain(view: { readonly days: number; readonly isProtected: boolean }): Html {
  const head = pageHead({
    title: 'Your data',
    lead: 'What this site holds on you, and how to take it with you or have it erased.',
  });
  const addresses = view.isProtected
    ? 'Your account is protected: the addresses of your devices and clients are written nowhere.'
    : `The addresses of your devices and clients are removed after ${plural(view.days, 'day')}, by themselves.`;
  const take = panel({
    title: 'Take it with you',
    body: html`<p>One file (JSON) with your account, keys, sessions, invites, notices, points and totals, and every announce of your clients. It holds your passkey: keep it to yourself.</p><p>${linkButton({ label: 'Download my data', href: href('myDataExport'), kind: 'primary' })}</p>`,
  });
  const erase = panel({
    title: 'Erase the account',
    body: html`<p>Name, keys, sessions, notices and points go for good. What you gave and took stays in the sums of others, without your name; torrents you uploaded stay too.</p><p>${linkButton({ label: 'Erase my account', href: href('accountErase'), kind: 'danger' })}</p>`,
  });
  return html`<div class="medium stack">${head}${notice('info', addresses)}${take}${erase}</div>`;
}

function eraseMain(csrf: string, errors: Readonly<Record<string, string>>): Html {
  const summary = Object.keys(errors).length === 0 ? NOTHING : errorSummary(errors);
  return html`${summary}${confirmation({
    question: 'Erase your account?',
    consequence: html`<p>You are signed out everywhere, your clients stop being served within a second, and your name, keys, sessions, notices and points are gone. What you gave and took stays in the sums of others, under a number. Torrents you uploaded stay; remove them first if they should not.</p><p>There is no way back, not for the staff either. <a href="${href('myDataExport')}">Download your data</a> first if you want to keep it.</p>`,
    action: href('accountErase'),
    csrf,
    confirmLabel: 'Erase my account for good',
    cancelHref: href('myData'),
    fields: textField({
      name: 'password',
      label: 'Your password',
      type: 'password',
      autocomplete: 'current-password',
      required: true,
      error: errors['password'],
    }),
  })}`;
}
