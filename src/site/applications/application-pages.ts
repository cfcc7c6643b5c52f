// Applications: the form, the page on which an applicant waits, and the queue of the staff.

import { html } from 'hono/html';
import { type Errors, nameField, newPasswordField } from '#site/accounts/entry-views.ts';
import type { RouteHandlers } from '#site/admission.ts';
import { type BadgeKind, badge } from '#site/components/badge.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { date, timeAgo } from '#site/components/figures.ts';
import { errorSummary, formActions, postForm, textArea } from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { notice } from '#site/components/notice.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { secret } from '#site/components/secret.ts';
import { table } from '#site/components/table.ts';
import { inModeration } from '#site/moderation/moderation-frame.ts';
import { Refusal } from '#site/refusal.ts';
import { href, hrefTo } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import {
  type Application,
  acceptApplication,
  applicationById,
  apply,
  findApplication,
  listApplications,
  REASON_LENGTH_MAX,
  refuseApplication,
  WORDS_LENGTH,
} from './applications.ts';

const WAITING_SHOWN = 100;
const DECIDED_SHOWN = 30;

export const applicationRoutes: RouteHandlers = {
  application: { GET: showApplication },
  consoleApplications: { GET: showQueue },
  consoleApplication: { GET: showOne, POST: postDecision },
};

interface ApplyForm {
  readonly name: string;
  readonly words: string;
  readonly errors: Errors;
}

/** In place of the form of sign-up, where that is by application. */
export async function showApply(visit: Visit): Promise<Response> {
  return await applyPage(visit, { name: '', words: '', errors: {} });
}

/** The link is shown in the answer itself, because nothing keeps it for a page after a redirect. */
export async function postApply(visit: Visit): Promise<Response> {
  const { parts, form } = visit;
  const name = form.text('name').trim().slice(0, 100);
  const words = form.text('words').slice(0, 10_000);
  const token = await apply(parts, { name, password: form.text('password'), words });
  if (token instanceof Refusal) {
    const errors = { [token.field ?? 'name']: token.message };
    return await applyPage(visit, { name, words, errors });
  }
  const url = visit.addresses.siteUrl + hrefTo('application', { token });
  const main = html`<div class="medium stack">${pageHead({ title: 'Your application waits' })}${notice('good', html`<strong>Keep this link</strong><p>It shows what became of your application. It is not shown again.</p>${secret(url)}`)}<p>The staff of ${visit.settings.siteName} reads it. Once they accept it, you sign in with the name and the password that you chose.</p></div>`;
  return await visit.page({ title: 'Applied', main });
}

async function applyPage(visit: Visit, form: ApplyForm): Promise<Response> {
  const { siteName } = visit.settings;
  const { errors } = form;
  const body = postForm({
    action: href('signUp'),
    csrf: visit.csrfToken,
    body: html`${nameField(form.name, errors)}${newPasswordField(errors)}${textArea({
      name: 'words',
      label: 'About you',
      hint: `Who you are and what brings you here. ${WORDS_LENGTH.min} to ${WORDS_LENGTH.max} characters; the staff alone reads them.`,
      value: form.words,
      required: true,
      lengthMax: WORDS_LENGTH.max,
      error: errors['words'],
    })}${formActions(submitButton({ label: 'Apply', kind: 'primary', wide: true }))}`,
  });
  const main = html`<div class="narrow stack">${pageHead({ title: `Join ${siteName}`, lead: 'Membership begins with an application, or with an invite.' })}${errorSummary(errors)}${panel({ title: 'Your application', body })}</div>`;
  const status = Object.keys(errors).length === 0 ? 200 : 422;
  return await visit.page({ title: `Join ${siteName}`, main, status });
}

async function showApplication(visit: Visit): Promise<Response> {
  const found = await findApplication(visit.parts.sql, visit.param('token'));
  if (found === undefined) return await visit.notFound('There is no such application.');
  const main = html`<div class="medium stack">${pageHead({ title: `Application of ${found.name}` })}${outcome(found, visit.nowMs)}</div>`;
  return await visit.page({ title: 'Your application', main });
}

function outcome(found: Application, nowMs: number): Html {
  switch (found.state) {
    case 'waiting':
      return notice(
        'info',
        html`It waits since ${timeAgo(found.createdMs, nowMs)}. Come back to this page.`,
      );
    case 'accepted':
      return html`${notice('good', 'It was accepted. Sign in with the name and the password that you chose.')}<p>${linkButton({ label: 'Sign in', href: href('signIn'), kind: 'primary' })}</p>`;
    case 'refused':
      return notice('bad', html`<strong>It was not accepted</strong><p>${found.reason}</p>`);
  }
}

async function showQueue(visit: Visit): Promise<Response> {
  const { sql } = visit.parts;
  const waiting = await listApplications(sql, { isWaiting: true, limit: WAITING_SHOWN });
  const decided = await listApplications(sql, { isWaiting: false, limit: DECIDED_SHOWN });
  const note =
    visit.settings.signUpMode === 'application'
      ? NOTHING
      : notice(
          'info',
          'No applications are taken at present: the settings say how people sign up.',
        );
  const queue =
    waiting.length === 0
      ? emptyState({
          title: 'Nobody waits',
          text: 'Applications stand here, the oldest first. You can bring somebody in yourself.',
          action: linkButton({ label: 'Invite somebody', href: href('invites') }),
        })
      : table({
          caption: 'Applications that wait, the oldest first',
          rows: waiting,
          columns: [
            {
              label: 'Name',
              kind: 'title',
              cell: ({ id, name, words }) =>
                html`<a href="${hrefTo('consoleApplication', { id })}">${name}</a><div class="under">${words.slice(0, 120)}</div>`,
            },
            {
              label: 'Applied',
              kind: 'figure',
              cell: (one) => timeAgo(one.createdMs, visit.nowMs),
            },
          ],
        });
  const past =
    decided.length === 0
      ? NOTHING
      : panel({
          title: 'Decided',
          flush: true,
          body: table({
            caption: 'Applications that were decided, the newest first',
            rows: decided,
            columns: [
              {
                label: 'Name',
                kind: 'title',
                cell: ({ id, name }) =>
                  html`<a href="${hrefTo('consoleApplication', { id })}">${name}</a>`,
              },
              { label: 'Outcome', cell: stateBadge },
              {
                label: 'Decided',
                kind: 'figure',
                cell: (one) => (one.decidedMs === undefined ? '' : date(one.decidedMs)),
              },
            ],
          }),
        });
  const body = html`${pageHead({ title: 'Applications', lead: 'Who asks to join.' })}<div class="stack">${note}${panel({ title: 'Waiting', body: queue, flush: true })}${past}</div>`;
  const main = inModeration('applications', body);
  return await visit.page({ title: 'Applications', main, section: 'console' });
}

async function showOne(visit: Visit): Promise<Response> {
  return await onePage(visit, { reason: '', errors: {} });
}

async function postDecision(visit: Visit): Promise<Response> {
  const { parts, form } = visit;
  const id = visit.numberParam('id') ?? 0;
  const { memberId: staffId } = visit.signedIn();
  const reason = form.text('reason').slice(0, 2000);
  const isAccepted = form.text('deed') === 'accept';
  const done = isAccepted
    ? await acceptApplication(parts, id, staffId)
    : await refuseApplication(parts, id, { reason, staffId });
  if (done instanceof Refusal) {
    const errors = { [done.field ?? 'reason']: done.message };
    return await onePage(visit, { reason, errors });
  }
  parts.logger.info('An application was decided', { id, isAccepted, by: staffId });
  const text = isAccepted ? 'The application is accepted.' : 'The application is refused.';
  return visit.redirect(href('consoleApplications'), { kind: 'good', text });
}

async function onePage(
  visit: Visit,
  form: { readonly reason: string; readonly errors: Errors },
): Promise<Response> {
  const found = await applicationById(visit.parts.sql, visit.numberParam('id') ?? 0);
  if (found === undefined) return await visit.notFound('There is no such application.');
  const said = panel({
    title: 'In their words',
    body:
      found.words === ''
        ? html`<p class="muted">Removed when it was refused.</p>`
        : html`<p class="as-typed">${found.words}</p>`,
  });
  const decision =
    found.state === 'waiting'
      ? decisionPanel(visit, found, form)
      : panel({
          title: 'Decision',
          body: html`<p>${stateBadge(found)}</p>${found.reason === '' ? NOTHING : html`<p>${found.reason}</p>`}`,
        });
  const body = html`${pageHead({
    title: found.name,
    lead: html`Applied ${timeAgo(found.createdMs, visit.nowMs)}.`,
    crumbs: [{ label: 'Applications', href: href('consoleApplications') }],
  })}<div class="stack">${errorSummary(form.errors)}${said}${decision}</div>`;
  const main = inModeration('applications', body);
  const status = Object.keys(form.errors).length === 0 ? 200 : 422;
  return await visit.page({ title: found.name, main, section: 'console', status });
}

function decisionPanel(
  visit: Visit,
  { id, name }: Application,
  form: { readonly reason: string; readonly errors: Errors },
): Html {
  const body = postForm({
    action: hrefTo('consoleApplication', { id }),
    csrf: visit.csrfToken,
    body: html`${textArea({
      name: 'reason',
      label: 'Reason',
      hint: `Only for a refusal; ${name} reads it.`,
      rows: 3,
      lengthMax: REASON_LENGTH_MAX,
      value: form.reason,
      error: form.errors['reason'],
    })}${formActions(
      submitButton({ label: `Accept ${name}`, kind: 'primary', name: 'deed', value: 'accept' }),
      submitButton({ label: 'Refuse', kind: 'danger', name: 'deed', value: 'refuse' }),
    )}`,
  });
  return panel({ title: 'Decision', body });
}

function stateBadge({ state }: Application): Html {
  const looks: Readonly<Record<Application['state'], readonly [BadgeKind, string]>> = {
    waiting: ['accent', 'Waiting'],
    accepted: ['good', 'Accepted'],
    refused: ['bad', 'Refused'],
  };
  return badge(...looks[state]);
}
