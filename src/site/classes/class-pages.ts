// The console's page of classes. As with the rules, nothing is saved before the operator has seen whom
// the change would touch.

import { html } from 'hono/html';
import { type MemberClass, parseClasses } from '#accounting/classes/class-list.ts';
import type { ClassStep } from '#accounting/classes/class-watch.ts';
import { classFindingWords } from '#accounting/classes/class-words.ts';
import { type MadeStep, tryClasses } from '#accounting/classes/member-classes.ts';
import { memberNames } from '#site/accounts/members.ts';
import type { RouteHandlers } from '#site/admission.ts';
import { type BadgeKind, badge } from '#site/components/badge.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import { stats } from '#site/components/facts.ts';
import { errorSummary, formActions, postForm, textArea } from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { standingNow } from '#site/components/standing-now.ts';
import { table } from '#site/components/table.ts';
import { inConsole } from '#site/console/console-views.ts';
import { formatCount, plural } from '#site/format/number.ts';
import { href, hrefTo } from '#site/routes.ts';
import { judgedMembers, NUMBER_WORDS } from '#site/rules/standing-effects.ts';
import type { Shown } from '#site/shown.ts';
import type { Visit } from '#site/visit.ts';
import { changeClasses, classesInForce } from './class-book.ts';
import { uploadCounts } from './class-effects.ts';

/** More are not tried while a person waits. */
const TRIED_MEMBERS_MAX = 5000;
const PAGE_MEMBERS = 200;
const LISTED_MAX = 100;
const TEXT_LENGTH_MAX = 8000;

export const classRoutes: RouteHandlers = {
  consoleClasses: { GET: showClasses, POST: postClasses },
  consoleClassesTry: { POST: postClassesTry },
};

async function showClasses(visit: Visit): Promise<Response> {
  const { lines } = await classesInForce(visit.parts);
  return await classesPage(visit, lines.join('\n'), {});
}

async function postClassesTry(visit: Visit): Promise<Response> {
  const text = textOf(visit);
  // What the form showed is handed on, until the classes are put in force.
  const { shown } = visit;
  if (visit.form.text('deed') === 'edit') return await classesPage(visit, text, {}, { shown });
  const parsed = parseClasses(text.split('\n'));
  if (typeof parsed === 'string') {
    return await classesPage(visit, text, { classes: parsed }, { shown });
  }
  const { sql } = visit.parts;
  const { made, tried, isWhole } = await trialOf(visit, parsed);
  const listed = made.slice(0, LISTED_MAX);
  const main = trialMain({
    csrf: visit.csrfToken,
    shown: shown[0],
    text,
    ...{ made, tried, isWhole },
    names: await memberNames(
      sql,
      listed.map((one) => one.memberId),
    ),
  });
  return await visit.page({ title: 'Try these classes', main, section: 'console' });
}

export interface ClassTrial {
  readonly made: readonly MadeStep[];
  /** Members; the oldest accounts when it is not whole. */
  readonly tried: number;
  readonly isWhole: boolean;
}

/** What the next check would do to members with these classes. */
export async function trialOf(visit: Visit, classes: readonly MemberClass[]): Promise<ClassTrial> {
  const { sql } = visit.parts;
  const rules = { classes, graceMs: visit.parts.classes.graceMs };
  const uploads = (ids: readonly number[]) => uploadCounts(sql, ids);
  const members = judgedMembers(sql);
  const made: MadeStep[] = [];
  let tried = 0;
  for (let after = 0; tried < TRIED_MEMBERS_MAX; ) {
    const page = await members.page(after, PAGE_MEMBERS);
    const last = page.at(-1);
    if (last === undefined) break;
    made.push(...(await tryClasses({ sql, uploads }, page, { nowMs: visit.nowMs, rules })));
    tried += page.length;
    after = last.memberId;
  }
  return { made, tried, isWhole: (await members.count()) <= tried };
}

async function postClasses(visit: Visit): Promise<Response> {
  const { sql, logger } = visit.parts;
  const by = visit.signedIn().memberId;
  if (visit.form.text('deed') === 'reset') {
    await changeClasses(sql, undefined);
    logger.info('The classes of the configuration hold again', { by });
    const text = 'The classes of the configuration are in force again.';
    return visit.redirect(href('consoleClasses'), { kind: 'good', text });
  }
  const text = textOf(visit);
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const parsed = parseClasses(lines);
  if (typeof parsed === 'string') {
    return await classesPage(visit, text, { classes: parsed }, { shown: visit.shown });
  }
  if ((await changeClasses(sql, lines, visit.shown)) !== undefined) {
    return await classesPage(visit, text, {}, { isLate: true });
  }
  logger.info('The classes were changed', { classes: parsed.length, by });
  const done = 'The new classes are in force: the next check goes by them.';
  return visit.redirect(href('consoleClasses'), { kind: 'good', text: done });
}

function textOf({ form }: Visit): string {
  return form.text('classes').replaceAll('\r', '').slice(0, TEXT_LENGTH_MAX);
}

async function classesPage(
  visit: Visit,
  text: string,
  errors: Readonly<Record<string, string>>,
  of: { readonly isLate?: boolean; readonly shown?: Shown } = {},
): Promise<Response> {
  const { isFromSite, version, lines } = await classesInForce(visit.parts);
  const main = classesMain({
    ...{ csrf: visit.csrfToken, text, errors, isFromSite },
    shown: of.shown?.[0] ?? version,
    standing: of.isLate === true ? lines.join('\n') : undefined,
  });
  const status = of.isLate === true ? 409 : Object.keys(errors).length === 0 ? 200 : 422;
  return await visit.page({ title: 'Classes', main, section: 'console', status });
}

function classesMain(view: {
  readonly csrf: string;
  readonly text: string;
  readonly errors: Readonly<Record<string, string>>;
  readonly isFromSite: boolean;
  /** Version of the classes that the form began with. */
  readonly shown: string;
  /** The classes in force, when somebody changed them since. */
  readonly standing: string | undefined;
}): Html {
  const { csrf, text, errors, isFromSite, shown, standing } = view;
  const head = pageHead({
    title: 'Classes',
    lead: 'Members rise by what they give, and go down when they no longer do: one class at a time, warned before, told each time.',
  });
  const hint = html`One class a line, the lowest first. After the colon stands what it takes to rise: <code>given 25 GiB</code>, <code>ratio 1.05</code>, <code>age 14 d</code>, <code>uploads 10</code>, <code>seeded 100 d</code>, any of them. After <code>; keeps</code> stands what it takes to stay.`;
  const form = postForm({
    action: href('consoleClassesTry'),
    csrf,
    shown,
    body: html`${textArea({
      name: 'classes',
      label: 'Classes',
      hint,
      value: text,
      rows: 8,
      lengthMax: TEXT_LENGTH_MAX,
      required: true,
      error: errors['classes'],
    })}${formActions(submitButton({ label: 'See whom it would touch', kind: 'primary' }))}`,
  });
  const reset = isFromSite
    ? postForm({
        action: href('consoleClasses'),
        csrf,
        body: html`<input type="hidden" name="deed" value="reset"><p class="muted">These were written here, over the configuration.</p>${submitButton({ label: 'Go back to the configuration', small: true })}`,
      })
    : NOTHING;
  const late =
    standing === undefined ? NOTHING : standingNow([{ label: 'Classes', text: standing }]);
  return inConsole(
    'classes',
    html`${head}<div class="stack">${late}${errorSummary(errors)}${panel({ title: 'Who rises to what', body: html`${form}${reset}` })}</div>`,
  );
}

const STEPS: Readonly<Record<ClassStep, readonly [BadgeKind, string]>> = {
  promoted: ['good', 'Rises'],
  warned: ['warn', 'Is warned'],
  settled: ['plain', 'Settles'],
  demoted: ['bad', 'Goes down'],
};

function trialMain(view: {
  readonly csrf: string;
  /** As the form said. */
  readonly shown: string | undefined;
  readonly text: string;
  readonly made: readonly MadeStep[];
  readonly tried: number;
  readonly isWhole: boolean;
  readonly names: ReadonlyMap<number, string>;
}): Html {
  const { made, tried, isWhole, names, csrf, text } = view;
  const seen = view.shown === undefined ? {} : { shown: view.shown };
  const count = (step: ClassStep): string =>
    formatCount(made.filter(({ transition }) => transition.step === step).length);
  const head = pageHead({
    title: 'Whom it would touch',
    lead: `With the next check, of ${plural(tried, 'member')}${isWhole ? '' : ', the oldest accounts'}. A check moves a member by one class; who reached more rises again with the one after. Nothing is saved yet.`,
    crumbs: [{ label: 'Classes', href: href('consoleClasses') }],
  });
  const figures = stats([
    { label: 'Rise', value: count('promoted') },
    { label: 'Are warned', value: count('warned') },
    { label: 'Go down', value: count('demoted') },
  ]);
  const listed = made.slice(0, LISTED_MAX);
  const list =
    listed.length === 0
      ? panel({ title: 'Nobody', body: html`<p class="muted">No member changes class.</p>` })
      : panel({
          title: 'One by one',
          aside:
            made.length > LISTED_MAX ? `the first ${LISTED_MAX}` : plural(made.length, 'member'),
          flush: true,
          body: stepTable(listed, names),
        });
  const hidden = html`<input type="hidden" name="classes" value="${text}">`;
  const save = postForm({
    action: href('consoleClasses'),
    csrf,
    ...seen,
    body: html`${hidden}${formActions(
      submitButton({ label: 'Put these classes in force', kind: 'primary' }),
      linkButton({ label: 'Keep the old ones', href: href('consoleClasses'), kind: 'quiet' }),
    )}`,
  });
  const edit = postForm({
    action: href('consoleClassesTry'),
    csrf,
    ...seen,
    body: html`${hidden}<input type="hidden" name="deed" value="edit">${submitButton({ label: 'Change them', small: true })}`,
  });
  return inConsole(
    'classes',
    html`${head}<div class="stack">${figures}${list}${save}${edit}</div>`,
  );
}

function stepTable(made: readonly MadeStep[], names: ReadonlyMap<number, string>): Html {
  return table({
    caption: 'Members who would change class',
    rows: made,
    columns: [
      {
        label: 'Member',
        kind: 'title',
        cell: ({ memberId, transition }) => {
          const name = names.get(memberId) ?? `Member ${memberId}`;
          const why = transition.findings
            .map((finding) => classFindingWords(finding, NUMBER_WORDS, 'they'))
            .join(' ');
          return html`<a href="${hrefTo('member', { name })}">${name}</a><div class="under">${why}</div>`;
        },
      },
      { label: 'What', cell: ({ transition }) => badge(...STEPS[transition.step]) },
      { label: 'From', cell: ({ transition }) => transition.from },
      { label: 'To', cell: ({ transition }) => transition.to.name },
    ],
  });
}
