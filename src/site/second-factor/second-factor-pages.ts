// The page on which a member sets up the codes of their app, and those on which codes are asked for:
// after the password, and by the staff who take a lost factor away.

import { html } from 'hono/html';
import type { Errors } from '#site/accounts/entry-views.ts';
import { findMember } from '#site/accounts/members.ts';
import { proveMember } from '#site/accounts/prove-member.ts';
import { signIn } from '#site/accounts/sign-in.ts';
import type { RouteHandlers } from '#site/admission.ts';
import { confirmation } from '#site/components/confirmation.ts';
import { tellOwner } from '#site/notices/tell-owner.ts';
import { Refusal } from '#site/refusal.ts';
import { href, hrefTo } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import {
  beginSecondFactor,
  confirmSecondFactor,
  newRecoveryCodes,
  removeSecondFactor,
  type SecondFactorTables,
  secondFactorOf,
  useSecondFactor,
} from './second-factor.ts';
import { codeMain, factorMain, offMain } from './second-factor-views.ts';
import { countAttempt, endStep, findStep, type Step } from './sign-in-steps.ts';
import { removeFactorByStaff } from './staff-removal.ts';

export const secondFactorRoutes: RouteHandlers = {
  signInCode: { GET: showCode, POST: postCode },
  secondFactor: { GET: showFactor, POST: postBegin },
  secondFactorConfirm: { POST: postConfirm },
  secondFactorCodes: { POST: postCodes },
  secondFactorOff: { GET: showOff, POST: postOff },
  consoleMemberFactor: { GET: showRemove, POST: postRemove },
};

const STEP_OVER = {
  kind: 'warn',
  text: 'That took too long, or there were too many attempts. Sign in again.',
} as const;

async function showCode(visit: Visit): Promise<Response> {
  const step = await findStep(visit.parts, visit.cookies.get('step'), 'code');
  if (step === undefined) return visit.redirect(href('signIn'), STEP_OVER);
  return await codePage(visit, {});
}

async function postCode(visit: Visit): Promise<Response> {
  const { parts } = visit;
  const step = await findStep(parts, visit.cookies.get('step'), 'code');
  if (step?.memberId === undefined || !(await countAttempt(parts, step))) {
    visit.cookies.remove('step');
    return visit.redirect(href('signIn'), STEP_OVER);
  }
  const code = visit.form.text('code').slice(0, 100);
  const refused = await useSecondFactor(parts, step.memberId, code);
  if (refused !== undefined) return await codePage(visit, { code: refused.message });
  return await finish(visit, step, step.memberId);
}

async function finish(visit: Visit, step: Step, memberId: number): Promise<Response> {
  if (!(await endStep(visit.parts, step))) return visit.redirect(href('signIn'), STEP_OVER);
  await signIn(visit, memberId);
  return visit.redirect(step.next === '' ? href('torrents') : step.next);
}

async function codePage(visit: Visit, errors: Errors): Promise<Response> {
  const main = codeMain(visit.csrfToken, errors);
  return await visit.page({ title: 'Enter a code', main, status: statusOf(errors) });
}

async function showFactor(visit: Visit): Promise<Response> {
  return await factorPage(visit, {});
}

async function postBegin(visit: Visit): Promise<Response> {
  const unproven = await proveMember(visit);
  if (unproven !== undefined) return await factorPage(visit, { errors: errorsOf(unproven) });
  await beginSecondFactor(visit.parts, visit.signedIn().memberId);
  return visit.redirect(href('secondFactor'));
}

async function postConfirm(visit: Visit): Promise<Response> {
  const { memberId } = visit.signedIn();
  const code = visit.form.text('code').slice(0, 100);
  const codes = await confirmSecondFactor(visit.parts, memberId, code);
  if (codes instanceof Refusal) return await factorPage(visit, { errors: errorsOf(codes) });
  visit.parts.logger.info('A second factor was set up', { memberId });
  return await factorPage(visit, { codes });
}

async function postCodes(visit: Visit): Promise<Response> {
  const { memberId } = visit.signedIn();
  const unproven = await proveMember(visit);
  if (unproven !== undefined) return await factorPage(visit, { errors: errorsOf(unproven) });
  if ((await secondFactorOf(visit.parts.sql, memberId)).kind !== 'on') {
    return await visit.notFound('Recovery codes go with a second factor.');
  }
  return await factorPage(visit, { codes: await newRecoveryCodes(visit.parts, memberId) });
}

async function showOff(visit: Visit): Promise<Response> {
  return await offPage(visit, {});
}

async function postOff(visit: Visit): Promise<Response> {
  const { memberId } = visit.signedIn();
  const unproven = await proveMember(visit);
  if (unproven !== undefined) return await offPage(visit, errorsOf(unproven));
  await visit.parts.sql.transaction<SecondFactorTables, void>(async (transaction) => {
    await removeSecondFactor(transaction, memberId);
    await tellOwner(transaction, visit.nowMs, {
      memberId,
      title: 'Signing in asks for the password alone',
      body: 'The second factor was switched off. If that was not you, change your password.',
    });
  });
  visit.parts.logger.info('A second factor was switched off', { memberId });
  const text = 'Signing in asks for your password alone now.';
  return visit.redirect(href('secondFactor'), { kind: 'good', text });
}

async function offPage(visit: Visit, errors: Errors): Promise<Response> {
  const main = offMain(visit.csrfToken, errors);
  const status = statusOf(errors);
  return await visit.page({ title: 'Switch codes off', main, section: 'me', status });
}

async function factorPage(
  visit: Visit,
  more: { readonly errors?: Errors; readonly codes?: readonly string[] },
): Promise<Response> {
  const { memberId, name } = visit.signedIn();
  const errors = more.errors ?? {};
  const main = factorMain({
    csrf: visit.csrfToken,
    state: await secondFactorOf(visit.parts.sql, memberId),
    site: visit.settings.siteName,
    name,
    nowMs: visit.nowMs,
    errors,
    ...(more.codes === undefined ? {} : { codes: more.codes }),
  });
  const status = statusOf(errors);
  return await visit.page({ title: 'Second factor', main, section: 'me', status });
}

async function showRemove(visit: Visit): Promise<Response> {
  const member = await findMember(visit.parts.sql, visit.param('name'));
  if (member === undefined) return await visit.notFound('No member has this name.');
  const { name } = member;
  const main = confirmation({
    question: `Take away the second factor of ${name}?`,
    consequence: html`<p>For somebody who lost their phone and their recovery codes. Signing in asks ${name} for the password alone; keys of their devices are removed too. ${name} is told, and so is the audit log. Be sure that it is ${name} who asks.</p>`,
    action: hrefTo('consoleMemberFactor', { name }),
    csrf: visit.csrfToken,
    confirmLabel: 'Take it away',
    cancelHref: hrefTo('consoleMember', { name }),
  });
  return await visit.page({ title: 'Second factor', main, section: 'console' });
}

async function postRemove(visit: Visit): Promise<Response> {
  const member = await removeFactorByStaff(visit, visit.param('name'));
  if (member === undefined) return await visit.notFound('No member has this name.');
  const text = `${member.name} signs in with the password alone now.`;
  return visit.redirect(hrefTo('consoleMember', { name: member.name }), { kind: 'good', text });
}

function errorsOf(refused: Refusal): Errors {
  return { [refused.field ?? 'code']: refused.message };
}

function statusOf(errors: Errors): 200 | 422 {
  return Object.keys(errors).length === 0 ? 200 : 422;
}
