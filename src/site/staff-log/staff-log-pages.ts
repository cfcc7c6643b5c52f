// The page of the staff log, and its check.

import { html } from 'hono/html';
import { findMember, memberNames } from '#site/accounts/members.ts';
import type { RouteHandlers } from '#site/admission.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { timeAgo } from '#site/components/figures.ts';
import { textField } from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { notice } from '#site/components/notice.ts';
import { pageHead } from '#site/components/page-head.ts';
import { pager } from '#site/components/pager.ts';
import { table } from '#site/components/table.ts';
import { formatCount } from '#site/format/number.ts';
import { inModeration } from '#site/moderation/moderation-frame.ts';
import { href } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import {
  COMMAND_LINE,
  checkStaffLog,
  listActions,
  type StaffAction,
  type StaffCheck,
} from './staff-log.ts';
import { STAFF_TOPIC } from './staff-log-job.ts';

const LINES = 50;
const MEMBERS_SHOWN_MAX = 500;

export const staffLogRoutes: RouteHandlers = {
  consoleStaffLog: { GET: showStaffLog },
};

async function showStaffLog(visit: Visit): Promise<Response> {
  const { sql } = visit.parts;
  const before = Number(/^\d{1,15}$/.exec(visit.query('before'))?.[0] ?? 0);
  const by = visit.query('by').trim().slice(0, 64);
  const memberId = await actorId(visit, by);
  const found =
    by !== '' && memberId === undefined
      ? []
      : await listActions(sql, {
          limit: LINES + 1,
          ...(before === 0 ? {} : { before }),
          ...(memberId === undefined ? {} : { memberId }),
        });
  const actions = found.slice(0, LINES);
  const names = await memberNames(sql, actions.flatMap(namedIn).slice(0, MEMBERS_SHOWN_MAX));
  const isChecked = visit.query('check') === 'all';
  const view = {
    actions,
    names,
    by,
    nowMs: visit.nowMs,
    copied: await copiedLines(visit),
    check: isChecked ? await checkStaffLog(sql) : undefined,
    nextHref:
      found.length > LINES
        ? href('consoleStaffLog', { by, before: actions.at(-1)?.number })
        : undefined,
  };
  const main = inModeration('staff-log', staffLogMain(view));
  return await visit.page({ title: 'Staff log', main, section: 'console' });
}

/** Whose lines are asked for: a member's, or the command line's. */
async function actorId({ parts }: Visit, by: string): Promise<number | undefined> {
  if (/^(?:the )?command line$/i.test(by)) return COMMAND_LINE;
  return by === '' ? undefined : (await findMember(parts.sql, by))?.id;
}

/** How many lines the topic has; none before the job has run once. */
async function copiedLines({ parts }: Visit): Promise<number> {
  try {
    return (await parts.log.stats(STAFF_TOPIC)).nextOffset;
  } catch {
    return 0;
  }
}

/** Who acted, and whom it is about. */
function namedIn({ memberId, subject }: StaffAction): readonly number[] {
  const about = /^member (\d+)$/.exec(subject)?.[1];
  return about === undefined ? [memberId] : [memberId, Number(about)];
}

interface StaffLogView {
  readonly actions: readonly StaffAction[];
  readonly names: ReadonlyMap<number, string>;
  readonly by: string;
  readonly nowMs: number;
  readonly copied: number;
  readonly check: StaffCheck | undefined;
  readonly nextHref: string | undefined;
}

function staffLogMain(view: StaffLogView): Html {
  const { actions, names, nowMs, copied, check, nextHref, by } = view;
  const head = pageHead({
    title: 'Staff log',
    lead: 'What the staff did, a line each. Nobody can change or remove one: the database refuses it, each line carries the fingerprint of the one before, and all are copied to the event log.',
    actions: linkButton({
      label: 'Check every line',
      href: href('consoleStaffLog', { check: 'all' }),
    }),
  });
  const filter = html`<form class="filters" method="get" action="${href('consoleStaffLog')}">${textField({ name: 'by', label: 'Done by', value: by, autocomplete: 'off', autocapitalize: 'none' })}${submitButton({ label: 'Show' })}</form>`;
  const list =
    actions.length === 0
      ? emptyState({
          title: by === '' ? 'The staff has done nothing yet' : `Nothing was done by ${by}`,
          text: 'Bans, warnings, settings, roles: whatever the staff does stands here from then on.',
          icon: 'info',
          ...(by === ''
            ? {}
            : { action: linkButton({ label: 'Show all lines', href: href('consoleStaffLog') }) }),
        })
      : html`${table({
          caption: 'What the staff did',
          rows: actions,
          columns: [
            { label: 'Action', kind: 'title', cell: (one) => actionWords(one.action) },
            { label: 'By', cell: (one) => actorWords(one, names) },
            { label: 'About', cell: (one) => subjectWords(one, names) },
            { label: 'In words', cell: wordsCell },
            { label: 'When', kind: 'figure', cell: (one) => timeAgo(one.atMs, nowMs) },
            { label: 'Line', kind: 'figure', cell: (one) => formatCount(one.number) },
            {
              label: 'Event log',
              kind: 'figure',
              cell: (one) =>
                one.number <= copied ? html`<code>${STAFF_TOPIC} ${one.number - 1}</code>` : 'soon',
            },
          ],
        })}${pager({ ...(nextHref === undefined ? {} : { nextHref }), summary: 'newest first' })}`;
  return html`${head}${checkNotice(check)}${filter}${list}`;
}

function checkNotice(check: StaffCheck | undefined): Html {
  if (check === undefined) return NOTHING;
  if (check.brokenAt === undefined) {
    const words = `Every line follows from the one before: ${formatCount(check.lines)} in all.`;
    return html`<div class="flashes">${notice('good', html`${words}`)}</div>`;
  }
  const words = `Line ${formatCount(check.brokenAt)} is not what was written. The event log's topic "${STAFF_TOPIC}" has the right one at offset ${check.brokenAt - 1}.`;
  return html`<div class="flashes">${notice('bad', html`${words}`)}</div>`;
}

function wordsCell({ words, requestId }: StaffAction): Html {
  if (requestId === '') return html`${words}`;
  return html`${words}<div class="under">Request <span class="mono">${requestId}</span></div>`;
}

/** `consoleMemberBan` is `Member ban`. */
export function actionWords(action: string): string {
  const words = action
    .replace(/^console(?=[A-Z])/, '')
    .replaceAll(/([A-Z])/g, ' $1')
    .trim()
    .toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function actorWords({ memberId }: StaffAction, names: ReadonlyMap<number, string>): string {
  if (memberId === COMMAND_LINE) return 'the command line';
  return names.get(memberId) ?? 'a former member';
}

function subjectWords({ subject }: StaffAction, names: ReadonlyMap<number, string>): string {
  const about = /^member (\d+)$/.exec(subject)?.[1];
  const name = about === undefined ? undefined : names.get(Number(about));
  return name === undefined ? subject : `member ${name}`;
}
