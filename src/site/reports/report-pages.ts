// Reporting something, and the moderators' queue of what was reported.

import { html } from 'hono/html';
import { memberNames } from '#site/accounts/members.ts';
import type { RouteHandlers } from '#site/admission.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { facts } from '#site/components/facts.ts';
import { timeBoth } from '#site/components/figures.ts';
import { formActions, postForm, radioField, textArea } from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { columns, pageHead } from '#site/components/page-head.ts';
import { pager } from '#site/components/pager.ts';
import { panel } from '#site/components/panel.ts';
import { plural } from '#site/format/number.ts';
import { inModeration } from '#site/moderation/moderation-frame.ts';
import type { Refusal } from '#site/refusal.ts';
import { href, hrefTo } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import { type ReportSubject, reportSubject } from './report-subject.ts';
import { KIND_WORDS, OUTCOME_WORDS, reportTable } from './report-table.ts';
import {
  addReport,
  claimReport,
  countOpenReports,
  findReport,
  isReportKind,
  listReports,
  OUTCOMES,
  REPORT_CHARS_MAX,
  type Report,
  releaseReport,
  resolveReport,
} from './reports.ts';

const LINES = 50;

export const reportRoutes: RouteHandlers = {
  report: { GET: showReportForm, POST: postReport },
  consoleReports: { GET: showReports },
  consoleReport: { GET: showReport, POST: postReportAction },
};

async function showReportForm(visit: Visit): Promise<Response> {
  return await reportForm(visit, '', undefined);
}

async function postReport(visit: Visit): Promise<Response> {
  const words = visit.form.text('words');
  const kind = visit.param('kind');
  const subjectId = visit.numberParam('id');
  const subject = await subjectOf(visit);
  if (subject === undefined || subjectId === undefined || !isReportKind(kind)) {
    return await visit.notFound();
  }
  const { memberId } = visit.signedIn();
  const refused = await addReport(visit.parts, { kind, subjectId, memberId, words });
  if (refused !== undefined) return await reportForm(visit, words, refused.message);
  const text = 'The staff has your report, and tells you what became of it.';
  return visit.redirect(subject.href, { kind: 'good', text });
}

async function reportForm(
  visit: Visit,
  words: string,
  error: string | undefined,
): Promise<Response> {
  const subject = await subjectOf(visit);
  if (subject === undefined) return await visit.notFound();
  const action = hrefTo('report', { kind: visit.param('kind'), id: visit.param('id') });
  const fields = html`${textArea({
    name: 'words',
    label: 'What is wrong',
    hint: 'The staff alone reads it, with your name.',
    rows: 5,
    required: true,
    lengthMax: REPORT_CHARS_MAX,
    value: words,
    error,
  })}${formActions(
    submitButton({ label: 'Send the report', kind: 'primary' }),
    linkButton({ label: 'Back', href: subject.href, kind: 'quiet' }),
  )}`;
  const main = html`<div class="medium stack">${pageHead({ title: `Report ${subject.label}` })}${postForm({ action, csrf: visit.csrfToken, body: fields })}</div>`;
  const status = error === undefined ? 200 : 422;
  return await visit.page({ title: 'Report', main, section: 'torrents', status });
}

async function subjectOf(visit: Visit): Promise<ReportSubject | undefined> {
  const kind = visit.param('kind');
  const id = visit.numberParam('id');
  if (id === undefined || !isReportKind(kind)) return undefined;
  return await reportSubject(visit.parts.sql, kind, id);
}

async function showReports(visit: Visit): Promise<Response> {
  const { sql } = visit.parts;
  const isOpen = visit.query('state') !== 'resolved';
  const beyond = visit.numberQuery('beyond');
  const found = await listReports(sql, {
    ...{ isOpen, limit: LINES + 1 },
    ...(beyond === undefined ? {} : { beyond }),
  });
  const reports = found.slice(0, LINES);
  const people = reports.flatMap((one) => [one.memberId, one.claimedBy ?? 0]);
  const names = await memberNames(sql, people);
  const open = await countOpenReports(sql);
  const state = isOpen ? undefined : 'resolved';
  const next = href('consoleReports', { state, beyond: reports.at(-1)?.id });
  const other = isOpen
    ? linkButton({ label: 'Those resolved', href: href('consoleReports', { state: 'resolved' }) })
    : linkButton({ label: 'Those that wait', href: href('consoleReports') });
  const head = pageHead({
    title: 'Reports',
    lead: open === 0 ? 'Nothing waits for you.' : `${plural(open, 'report')} to look at.`,
    actions: other,
  });
  const list =
    reports.length === 0
      ? emptyState({
          title: isOpen ? 'No report waits' : 'No report was resolved yet',
          text: 'Members report torrents, comments and each other; what they say comes here.',
          icon: 'info',
        })
      : html`${reportTable({ reports, names, nowMs: visit.nowMs })}${pager({
          ...(found.length > LINES ? { nextHref: next } : {}),
          summary: isOpen ? 'oldest first' : 'newest first',
        })}`;
  const main = inModeration('reports', html`${head}${list}`);
  return await visit.page({ title: 'Reports', main, section: 'console' });
}

async function showReport(visit: Visit): Promise<Response> {
  return await reportPage(visit, '', undefined);
}

async function postReportAction(visit: Visit): Promise<Response> {
  const { parts, form } = visit;
  const report = await reportOf(visit);
  if (report === undefined) return await visit.notFound('There is no such report.');
  const { memberId } = visit.signedIn();
  const path = hrefTo('consoleReport', { id: report.id });
  switch (form.text('action')) {
    case 'claim':
      return answered(visit, path, await claimReport(parts, report.id, memberId), 'It is yours.');
    case 'release': {
      const done = await releaseReport(parts, report.id, memberId);
      return answered(visit, path, done, 'It waits for anybody again.');
    }
    case 'resolve': {
      const answer = form.text('answer');
      const outcome = OUTCOMES.find((one) => one === form.text('outcome'));
      if (outcome === undefined) return await reportPage(visit, answer, 'Say what became of it.');
      const subject = (await reportSubject(parts.sql, report.kind, report.subjectId)) ?? {
        label: `a ${report.kind} that is gone`,
        href: href('notices'),
      };
      const asked = { report, resolvedBy: memberId, outcome, answer, subject };
      const refused = await resolveReport(parts, asked);
      if (refused !== undefined) return await reportPage(visit, answer, refused.message);
      const text = 'Resolved. Who reported it is told.';
      return visit.redirect(href('consoleReports'), { kind: 'good', text });
    }
    default:
      return await visit.notFound('There is no such action.');
  }
}

function answered(
  visit: Visit,
  path: string,
  refused: Refusal | undefined,
  text: string,
): Response {
  if (refused === undefined) return visit.redirect(path, { kind: 'good', text });
  return visit.redirect(path, { kind: 'bad', text: refused.message });
}

async function reportOf(visit: Visit): Promise<Report | undefined> {
  const id = visit.numberParam('id');
  return id === undefined ? undefined : await findReport(visit.parts.sql, id);
}

async function reportPage(
  visit: Visit,
  answer: string,
  error: string | undefined,
): Promise<Response> {
  const { sql } = visit.parts;
  const report = await reportOf(visit);
  if (report === undefined) return await visit.notFound('There is no such report.');
  const subject = await reportSubject(sql, report.kind, report.subjectId);
  const { claimedBy = 0, resolvedBy = 0 } = report;
  const names = await memberNames(sql, [report.memberId, claimedBy, resolvedBy]);
  const crumbs = [{ label: 'Reports', href: href('consoleReports') }];
  const head = pageHead({ title: `Report ${report.id}`, crumbs });
  const words = panel({ title: 'In the words of the member', body: html`<p>${report.words}</p>` });
  const what =
    report.outcome === undefined
      ? resolvePanel(visit, report, { answer, error })
      : panel({ title: OUTCOME_WORDS[report.outcome], body: html`<p>${report.answer}</p>` });
  const about = panel({
    title: 'About',
    body: facts([
      {
        term: KIND_WORDS[report.kind],
        value:
          subject === undefined ? 'gone' : html`<a href="${subject.href}">${subject.label}</a>`,
      },
      { term: 'Reported by', value: memberLink(names.get(report.memberId)) },
      { term: 'Reported', value: timeBoth(report.createdMs, visit.nowMs) },
      ...(claimedBy === 0 ? [] : [{ term: 'Taken by', value: memberLink(names.get(claimedBy)) }]),
      ...(resolvedBy === 0
        ? []
        : [{ term: 'Resolved by', value: memberLink(names.get(resolvedBy)) }]),
    ]),
  });
  const claim = report.outcome === undefined ? claimPanel(visit, report) : NOTHING;
  const body = html`${head}${columns(html`${words}${what}`, html`${about}${claim}`)}`;
  const main = inModeration('reports', body);
  const status = error === undefined ? 200 : 422;
  return await visit.page({ title: `Report ${report.id}`, main, section: 'console', status });
}

function memberLink(name: string | undefined): string | Html {
  return name === undefined
    ? 'a former member'
    : html`<a href="${hrefTo('member', { name })}">${name}</a>`;
}

function claimPanel(visit: Visit, { id, claimedBy }: Report): Html {
  const isMine = claimedBy === visit.signedIn().memberId;
  const words = isMine
    ? 'You look at it; nobody else does it meanwhile.'
    : claimedBy === undefined
      ? 'Nobody looks at it yet.'
      : 'Somebody else looks at it.';
  const action = claimedBy === undefined ? 'claim' : 'release';
  const label = action === 'claim' ? 'I look at it' : isMine ? 'Give it back' : 'Take it from them';
  const button = postForm({
    action: hrefTo('consoleReport', { id }),
    csrf: visit.csrfToken,
    body: submitButton({ label, name: 'action', value: action }),
  });
  return panel({ title: 'Who looks at it', body: html`<p>${words}</p>${button}` });
}

function resolvePanel(
  visit: Visit,
  { id }: Report,
  typed: { readonly answer: string; readonly error: string | undefined },
): Html {
  const fields = html`<input type="hidden" name="action" value="resolve">${radioField({
    name: 'outcome',
    label: 'What became of it',
    required: true,
    options: OUTCOMES.map((value) => ({ value, label: OUTCOME_WORDS[value] })),
  })}${textArea({
    name: 'answer',
    label: 'In words',
    hint: 'Who reported it reads this.',
    rows: 4,
    required: true,
    lengthMax: REPORT_CHARS_MAX,
    value: typed.answer,
    error: typed.error,
  })}${formActions(submitButton({ label: 'Resolve', kind: 'primary' }))}`;
  const action = hrefTo('consoleReport', { id });
  return panel({
    title: 'Resolve',
    body: postForm({ action, csrf: visit.csrfToken, body: fields }),
  });
}
