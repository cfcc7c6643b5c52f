// Which clients may announce, by the beginning of their peer ids; in force at the trackers within a second.

import { html } from 'hono/html';
import type { Errors } from '#site/accounts/entry-views.ts';
import { CLIENT_SETTINGS, clientLists, settingsVersion } from '#site/accounts/settings.ts';
import { submitButton } from '#site/components/button.ts';
import { formActions, postForm, textArea } from '#site/components/form.ts';
import { NOTHING } from '#site/components/markup.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { standingNow } from '#site/components/standing-now.ts';
import { Refusal } from '#site/refusal.ts';
import { href } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import { inConsole } from './console-views.ts';

/** What a peer id can begin with; Azureus style ones begin with a hyphen. */
const PREFIX = /^[\x21-\x7e]{1,20}$/;
const PREFIXES_MAX = 500;

interface Typed {
  readonly allowed: string;
  readonly denied: string;
}

export async function showClients(visit: Visit): Promise<Response> {
  const { clientsAllowed, clientsDenied } = clientLists(
    visit.settings,
    visit.parts.trackerDefaults,
  );
  const typed = { allowed: clientsAllowed.join('\n'), denied: clientsDenied.join('\n') };
  return await clientsPage(visit, typed, {});
}

export async function postClients(visit: Visit): Promise<Response> {
  const { form, parts } = visit;
  const back = href('consoleClients');
  if (form.text('action') === 'reset') {
    await parts.settings.change({ clientsSet: '', clientsAllowed: '', clientsDenied: '' });
    return visit.redirect(back, { kind: 'good', text: 'The configuration decides again.' });
  }
  const typed = { allowed: form.text('allowed'), denied: form.text('denied') };
  const lists = { allowed: readLines(typed.allowed), denied: readLines(typed.denied) };
  const errors = await saveClients(visit, lists);
  if (errors instanceof Refusal) return await clientsPage(visit, typed, {}, true);
  if (Object.keys(errors).length > 0) return await clientsPage(visit, typed, errors);
  const text = 'In force at the trackers within a second.';
  return visit.redirect(back, { kind: 'good', text });
}

export interface ClientLists {
  readonly allowed: readonly string[];
  readonly denied: readonly string[];
}

/** What is wrong by list, and then nothing is saved. */
export async function saveClients(visit: Visit, lists: ClientLists): Promise<Errors | Refusal> {
  const errors: Record<string, string> = {};
  for (const name of ['allowed', 'denied'] as const) {
    const wrong = lists[name].find((line) => !PREFIX.test(line));
    if (wrong !== undefined) errors[name] = `“${wrong}” is no beginning of a peer id.`;
    if (lists[name].length > PREFIXES_MAX) errors[name] = `At most ${PREFIXES_MAX} lines.`;
  }
  if (Object.keys(errors).length > 0) return errors;
  const change = {
    clientsSet: 'yes',
    clientsAllowed: lists.allowed.join('\n'),
    clientsDenied: lists.denied.join('\n'),
  } as const;
  const seen = { shown: visit.shown, names: CLIENT_SETTINGS };
  return (await visit.parts.settings.change(change, seen)) ?? errors;
}

function readLines(text: string): readonly string[] {
  const lines = text.split('\n').map((line) => line.trim());
  return [...new Set(lines.filter((line) => line !== ''))];
}

async function clientsPage(
  visit: Visit,
  typed: Typed,
  errors: Errors,
  isLate = false,
): Promise<Response> {
  const settings = await visit.parts.settings.current();
  const isOwn = settings.clientsSet === 'yes';
  const head = pageHead({
    title: 'Clients',
    lead: isOwn
      ? 'Set here; the configuration waits.'
      : 'As configured. What you save here counts instead.',
  });
  const fields = html`${textArea({
    name: 'denied',
    label: 'Denied',
    hint: 'The beginning of a peer id, one a line: -XL0012 is one version, -XL all of that client. Denied ones are refused also when they are allowed below.',
    rows: 6,
    value: typed.denied,
    error: errors['denied'],
  })}${textArea({
    name: 'allowed',
    label: 'Allowed',
    hint: 'When there is a line, every client that is not named is refused. Empty allows all.',
    rows: 6,
    value: typed.allowed,
    error: errors['allowed'],
  })}${formActions(
    submitButton({ label: 'Save both lists', kind: 'primary', name: 'action', value: 'save' }),
    submitButton({ label: 'Go back to the configuration', name: 'action', value: 'reset' }),
  )}`;
  const shown = settingsVersion(settings, CLIENT_SETTINGS);
  const form = postForm({
    action: href('consoleClients'),
    csrf: visit.csrfToken,
    body: fields,
    shown,
  });
  const now = clientLists(settings, visit.parts.trackerDefaults);
  const late = isLate
    ? standingNow([
        { label: 'Denied', text: now.clientsDenied.join('\n') },
        { label: 'Allowed', text: now.clientsAllowed.join('\n') },
      ])
    : NOTHING;
  const main = inConsole('clients', html`${head}${late}${panel({ title: 'Lists', body: form })}`);
  const status = isLate ? 409 : Object.keys(errors).length === 0 ? 200 : 422;
  return await visit.page({ title: 'Clients', main, section: 'console', status });
}
