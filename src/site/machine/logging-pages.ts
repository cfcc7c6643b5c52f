// The console's page of what the server logs: the level of all modules and of each, until the server ends.

import { html } from 'hono/html';
import {
  isLogLevel,
  type LevelTable,
  LOG_LEVELS,
  LogLevels,
  levelWords,
  withLevel,
} from '#base/log-levels.ts';
import type { RouteHandlers } from '#site/admission.ts';
import { badge } from '#site/components/badge.ts';
import { submitButton } from '#site/components/button.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { formActions, postForm, selectField } from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel, panels } from '#site/components/panel.ts';
import { table } from '#site/components/table.ts';
import { inConsole } from '#site/console/console-views.ts';
import { Refusal } from '#site/refusal.ts';
import { href } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import type { LogControl } from './machine.ts';

export const loggingRoutes: RouteHandlers = { consoleLogging: { GET: showLogging, POST: post } };

/** Every module's level, with those that were set for it. */
export interface LoggingNow {
  readonly table: LevelTable;
  readonly modules: readonly ModuleLevel[];
}

interface ModuleLevel {
  readonly module: string;
  readonly level: LevelTable['base'];
  /** It was given one of its own. */
  readonly isOwn: boolean;
}

export async function loggingNow(control: LogControl): Promise<LoggingNow> {
  const { levels: table } = control;
  const levels = new LogLevels(table);
  const modules = (await control.modules()).map((module) => ({
    ...{ module, level: levels.levelOf(module) },
    isOwn: Object.hasOwn(table.modules, module),
  }));
  return { table, modules };
}

/** `module` is empty for all. In force for the next line of every thread. */
export async function setLevel(
  visit: Visit,
  control: LogControl,
  asked: { readonly module: string; readonly level: string },
): Promise<Refusal | undefined> {
  const { module, level } = asked;
  if (!isLogLevel(level)) {
    return new Refusal('level-unknown', `There are ${LOG_LEVELS.join(', ')}.`, 'level');
  }
  const changed = withLevel(control.levels, await control.modules(), { module, level });
  if (changed === 'unknown') {
    return new Refusal('module-unknown', 'No module is called so.', 'module');
  }
  if (changed === 'full') {
    const words = 'Too many modules have a level of their own: go back to the settings first.';
    return new Refusal('levels-full', words, 'module');
  }
  change(visit, control, () => control.setLevels(changed));
  return undefined;
}

export function resetLevels(visit: Visit, control: LogControl): void {
  change(visit, control, () => control.resetLevels());
}

/** Whoever reads the log must see why it says more from here on, or less: told at the higher level. */
function change(visit: Visit, control: LogControl, act: () => void): void {
  const from = levelWords(control.levels);
  const tell = (): void =>
    visit.parts.logger.warn('The levels of the log are changed', {
      ...{ from, to: levelWords(control.levels), by: visit.signedIn().memberId },
    });
  act();
  tell();
}

async function showLogging(visit: Visit): Promise<Response> {
  return await page(visit);
}

async function post(visit: Visit): Promise<Response> {
  const control = visit.parts.machine?.logging;
  if (control === undefined) return await visit.notFound('This site does not know its server.');
  const [module, level] = [visit.form.text('module'), visit.form.text('level')];
  const back = href('consoleLogging');
  if (level === 'reset') {
    resetLevels(visit, control);
    return visit.redirect(back, { kind: 'good', text: 'It logs as the settings say.' });
  }
  const refused = await setLevel(visit, control, { module, level });
  if (refused !== undefined) return visit.redirect(back, { kind: 'bad', text: refused.message });
  const text = `${module === '' ? 'Every module without a level of its own' : module} logs from ${level} on.`;
  return visit.redirect(back, { kind: 'good', text });
}

async function page(visit: Visit): Promise<Response> {
  const control = visit.parts.machine?.logging;
  const head = pageHead({
    title: 'Logging',
    lead: 'What the server writes to its own log, by module. What is set here ends with the server; the settings server.logLevel and server.logLevels are what the next one starts with.',
  });
  const body =
    control === undefined
      ? emptyState({ title: 'Nothing is known', text: 'This site does not know its server.' })
      : loggingMain(await loggingNow(control), visit.csrfToken);
  const main = inConsole('logging', html`${head}${body}`);
  return await visit.page({ title: 'Logging', main, section: 'console' });
}

function loggingMain({ table: levels, modules }: LoggingNow, csrf: string): Html {
  const action = href('consoleLogging');
  const fields = html`${selectField({
    name: 'module',
    label: 'Module',
    value: '',
    options: [
      { value: '', label: 'All without a level of their own' },
      ...modules.map(({ module }) => ({ value: module, label: module })),
    ],
  })}${selectField({
    name: 'level',
    label: 'Log from',
    hint: 'Debug of a busy module is much: set it for one, and not for long.',
    value: levels.base,
    options: LOG_LEVELS.map((level) => ({ value: level, label: level })),
  })}${formActions(submitButton({ label: 'Set the level' }))}`;
  const set = panel({ title: 'Log more or less', body: postForm({ action, csrf, body: fields }) });
  const undo = html`<input type="hidden" name="level" value="reset"><p>Every level as the settings have it.</p>${formActions(submitButton({ label: 'Log as the settings say' }))}`;
  const reset = panel({ title: 'Back', body: postForm({ action, csrf, body: undo }) });
  const list = table({
    caption: 'Levels by module',
    rows: [{ module: 'All others', level: levels.base, isOwn: false }, ...modules],
    columns: [
      { label: 'Module', kind: 'title', cell: (one) => one.module },
      {
        label: 'Logs from',
        cell: ({ level, isOwn }) =>
          html`${level} ${isOwn ? badge('accent', 'Set for it') : NOTHING}`,
      },
    ],
  });
  const all = panel({ title: 'Module by module', body: list, flush: true });
  return html`<div class="stack">${panels(set, reset)}${all}</div>`;
}
