// What moderators know and do about one member: warnings, notes, reports, the way to a ban.

import { html } from 'hono/html';
import type { Errors } from '#site/accounts/entry-views.ts';
import { findMember, type Member, memberNames } from '#site/accounts/members.ts';
import { badge } from '#site/components/badge.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import { facts } from '#site/components/facts.ts';
import { date, timeAgo, timeBoth, timeUntil } from '#site/components/figures.ts';
import { formActions, postForm, textArea, textField } from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel, panels } from '#site/components/panel.ts';
import { markdown } from '#site/format/markdown.ts';
import type { Refusal } from '#site/refusal.ts';
import { reportTable } from '#site/reports/report-table.ts';
import { type Report, reportsAbout } from '#site/reports/reports.ts';
import { href, hrefTo } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import { inModeration } from './moderation-frame.ts';
import {
  addNote,
  isInForce,
  listNotes,
  listWarnings,
  NOTE_CHARS_MAX,
  type Note,
  REASON_CHARS_MAX,
  type Warning,
  warnMember,
  withdrawWarning,
} from './warnings.ts';

const WARNING_DAYS = 90;
const REPORTS_SHOWN_MAX = 20;

interface Typed {
  readonly reason: string;
  readonly days: string;
  readonly note: string;
}

const NOTHING_TYPED: Typed = { reason: '', days: String(WARNING_DAYS), note: '' };

export async function showModeration(visit: Visit): Promise<Response> {
  return await moderationPage(visit, NOTHING_TYPED, {});
}

export async function postWarning(visit: Visit): Promise<Response> {
  const member = await memberOf(visit);
  if (member === undefined) return await visit.notFound('No member has this name.');
  const days = visit.form.text('days').trim().slice(0, 10);
  const typed = { ...NOTHING_TYPED, reason: visit.form.text('reason'), days };
  const refused = await warnMember(visit.parts, {
    member,
    reason: typed.reason,
    days: /^\d{1,6}$/.test(days) ? Number(days) : 0,
    givenBy: visit.signedIn().memberId,
  });
  if (refused !== undefined) return await moderationPage(visit, typed, errorsOf(refused));
  return done(visit, member, `${member.name} is warned, and told so.`);
}

export async function postWithdraw(visit: Visit): Promise<Response> {
  const member = await memberOf(visit);
  const id = visit.numberParam('id');
  if (member === undefined || id === undefined) return await visit.notFound();
  const isDone = await withdrawWarning(visit.parts, { memberId: member.id, id });
  if (!isDone) return await visit.notFound('This warning is withdrawn already.');
  return done(visit, member, 'The warning is withdrawn.');
}

export async function postNote(visit: Visit): Promise<Response> {
  const member = await memberOf(visit);
  if (member === undefined) return await visit.notFound('No member has this name.');
  const text = visit.form.text('note');
  const { memberId: writtenBy } = visit.signedIn();
  const refused = await addNote(visit.parts, { memberId: member.id, text, writtenBy });
  if (refused !== undefined) {
    return await moderationPage(visit, { ...NOTHING_TYPED, note: text }, errorsOf(refused));
  }
  return done(visit, member, 'The note is kept.');
}

function done(visit: Visit, member: Member, text: string): Response {
  const path = hrefTo('consoleModeration', { name: member.name });
  return visit.redirect(path, { kind: 'good', text });
}

function errorsOf(refusal: Refusal): Errors {
  return { [refusal.field ?? 'reason']: refusal.message };
}

async function memberOf(visit: Visit): Promise<Member | undefined> {
  return await findMember(visit.parts.sql, visit.param('name'));
}

async function moderationPage(visit: Visit, typed: Typed, errors: Errors): Promise<Response> {
  const { sql } = visit.parts;
  const member = await memberOf(visit);
  if (member === undefined) return await visit.notFound('No member has this name.');
  const [warnings, notes, reports] = await Promise.all([
    listWarnings(sql, member.id),
    listNotes(sql, member.id),
    reportsAbout(sql, { kind: 'member', subjectId: member.id }, REPORTS_SHOWN_MAX),
  ]);
  const staff = [...warnings.map((one) => one.givenBy), ...notes.map((one) => one.writtenBy)];
  const names = await memberNames(sql, [...staff, ...reports.map((one) => one.memberId)]);
  const main = moderationMain({ visit, member, warnings, notes, reports, names, typed, errors });
  const status = Object.keys(errors).length === 0 ? 200 : 422;
  const title = `Moderation: ${member.name}`;
  return await visit.page({ title, main, section: 'console', status });
}

interface ModerationView {
  readonly visit: Visit;
  readonly member: Member;
  readonly warnings: readonly Warning[];
  readonly notes: readonly Note[];
  readonly reports: readonly Report[];
  readonly names: ReadonlyMap<number, string>;
  readonly typed: Typed;
  readonly errors: Errors;
}

function moderationMain(view: ModerationView): Html {
  const { member, visit } = view;
  const head = pageHead({
    title: member.name,
    crumbs: [{ label: 'Members', href: href('members') }],
    actions: linkButton({ label: 'Profile', href: hrefTo('member', { name: member.name }) }),
  });
  const reports =
    view.reports.length === 0
      ? NOTHING
      : panel({
          title: 'Reports about them',
          flush: true,
          body: reportTable({ reports: view.reports, names: view.names, nowMs: visit.nowMs }),
        });
  return inModeration(
    'members',
    html`${head}<div class="stack">${panels(accountPanel(view), warnPanel(view))}${warningsPanel(view)}${notesPanel(view)}${reports}</div>`,
  );
}

function accountPanel({ member, visit }: ModerationView): Html {
  const isBanned = member.state === 'banned';
  const until = member.bannedUntilMs;
  const ban = isBanned
    ? postForm({
        action: hrefTo('consoleMemberUnban', { name: member.name }),
        csrf: visit.csrfToken,
        body: submitButton({ label: `Let ${member.name} in again` }),
      })
    : linkButton({
        label: `Ban ${member.name}`,
        href: hrefTo('consoleMemberBan', { name: member.name }),
        kind: 'danger',
      });
  const body = facts([
    { term: 'State', value: isBanned ? badge('bad', 'Banned') : badge('good', 'Active') },
    ...(isBanned ? [{ term: 'Reason', value: member.reason }] : []),
    ...(until === undefined ? [] : [{ term: 'Ends', value: timeUntil(until, visit.nowMs) }]),
    { term: 'Joined', value: date(member.createdMs) },
  ]);
  const row =
    member.id === visit.signedIn().memberId ? NOTHING : html`<div class="row">${ban}</div>`;
  return panel({ title: 'Account', body: html`${body}${row}` });
}

function warnPanel({ member, visit, typed, errors }: ModerationView): Html {
  const fields = html`${textArea({
    name: 'reason',
    label: 'Reason',
    hint: `${member.name} reads it at once.`,
    rows: 3,
    required: true,
    lengthMax: REASON_CHARS_MAX,
    value: typed.reason,
    error: errors['reason'],
  })}${textField({
    name: 'days',
    label: 'Days it stands',
    type: 'number',
    required: true,
    value: typed.days,
    error: errors['days'],
  })}${formActions(submitButton({ label: `Warn ${member.name}` }))}`;
  const action = hrefTo('consoleWarning', { name: member.name });
  const body = postForm({ action, csrf: visit.csrfToken, body: fields });
  return panel({ title: 'Warn', body });
}

function warningsPanel({ member, warnings, names, visit }: ModerationView): Html {
  if (warnings.length === 0) {
    return panel({
      title: 'Warnings',
      body: html`<p class="muted">${member.name} was never warned.</p>`,
    });
  }
  const items = warnings.map((one) => {
    const inForce = isInForce(one, visit.nowMs);
    const state = inForce
      ? badge('warn', 'In force')
      : badge('plain', one.withdrawnMs === undefined ? 'Over' : 'Withdrawn');
    const withdraw = inForce
      ? postForm({
          action: hrefTo('consoleWarningWithdraw', { name: member.name, id: one.id }),
          csrf: visit.csrfToken,
          inline: true,
          body: submitButton({ label: 'Withdraw', about: 'this warning', small: true }),
        })
      : NOTHING;
    return html`<li class="stack-tight"><p>${state} ${one.reason}</p><p class="small muted">By ${names.get(one.givenBy) ?? 'somebody'}, ${timeBoth(one.givenMs, visit.nowMs)}; stands until ${date(one.expiresMs)}. ${withdraw}</p></li>`;
  });
  return panel({ title: 'Warnings', body: html`<ul class="plain stack">${items}</ul>` });
}

function notesPanel({ member, notes, names, visit, typed, errors }: ModerationView): Html {
  const items = notes.map(
    (one) =>
      html`<li class="stack-tight"><div class="markdown prose">${markdown(one.text)}</div><p class="small muted">${names.get(one.writtenBy) ?? 'Somebody'}, ${timeAgo(one.writtenMs, visit.nowMs)}</p></li>`,
  );
  const list = notes.length === 0 ? NOTHING : html`<ul class="plain stack">${items}</ul>`;
  const form = postForm({
    action: hrefTo('consoleNote', { name: member.name }),
    csrf: visit.csrfToken,
    body: html`${textArea({
      name: 'note',
      label: 'A note',
      hint: 'For the staff alone; Markdown. It cannot be changed afterwards.',
      rows: 3,
      required: true,
      lengthMax: NOTE_CHARS_MAX,
      value: typed.note,
      error: errors['note'],
    })}${formActions(submitButton({ label: 'Keep this note' }))}`,
  });
  return panel({ title: 'Notes', body: html`${list}${form}` });
}
