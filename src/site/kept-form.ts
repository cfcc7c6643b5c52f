// What somebody wrote is not lost with the session or the page it was written on: a form that cannot be
// taken, because its sender is signed out by now or its token is of an older session, comes back with the
// words in it, to be looked over and sent again. Nothing is done by it until then.
//
// Secrets and files never come back, and nothing does that another site may have sent.

import { html } from 'hono/html';
import { linkButton, submitButton } from './components/button.ts';
import { CSRF_FIELD, formActions, postForm, textArea } from './components/form.ts';
import type { Html } from './components/markup.ts';
import type { ErrorWords } from './error-pages.ts';
import type { Form } from './form-data.ts';
import { href } from './routes.ts';
import type { Visit } from './visit.ts';

/** The fields in which people write, as they are called where they stand. No other is shown. */
const WRITTEN: ReadonlyMap<string, string> = new Map([
  ['title', 'Title'],
  ['tags', 'Tags'],
  ['description', 'Description'],
  ['text', 'Text'],
  ['words', 'Words'],
  ['reason', 'Reason'],
  ['note', 'Note'],
  ['answer', 'Answer'],
  ['coverAlt', 'What the picture shows'],
]);
/** A form that carries one of these is not put together again: it is filled in anew. */
const SECRET = /password|code|token|key|credential|signature|data$/i;
const LINE_CHARS = 80;
const ROWS_MAX = 12;

/** The page of `words`, with what was written when it was sent from a page of this site. */
export async function keptFormPage(visit: Visit, words: ErrorWords, form: Form): Promise<Response> {
  const names = form.names().filter((name) => name !== CSRF_FIELD);
  const written = names.filter((name) => WRITTEN.has(name) && form.text(name).trim() !== '');
  if (written.length === 0 || !isSurelyOwn(visit)) return await visit.error(words);
  visit.isPackable = false;
  const isWhole = !names.some((name) => SECRET.test(name)) && !(await hasFile(form, names));
  const fields = written.map((name) => writtenField(name, form.text(name)));
  const others = names.filter((name) => !written.includes(name));
  const rest = others.flatMap((name) =>
    form.texts(name).map((value) => html`<input type="hidden" name="${name}" value="${value}">`),
  );
  const isSignedOut = visit.viewer === undefined && words.status === 401;
  const signIn = isSignedOut
    ? [
        html`<a class="button button-primary" href="${href('signIn')}" target="_blank" rel="noopener">Sign in, in a new tab</a>`,
      ]
    : [];
  const send = submitButton({ label: 'Send it', ...(isSignedOut ? {} : { kind: 'primary' }) });
  const body = isWhole
    ? postForm({
        action: visit.path,
        csrf: visit.csrfToken,
        body: html`${rest}${fields}${formActions(...signIn, send)}`,
      })
    : html`<div class="form">${fields}${formActions(...signIn, linkButton({ label: 'Go to the start', href: href('home') }))}</div>`;
  const what = isWhole ? stepsOf(isSignedOut) : COPY;
  const main = html`<div class="medium stack"><p class="muted small">Error ${words.status}</p><h1>${words.title}</h1><p>Nothing was changed, and what you wrote is still here. ${what}</p>${body}</div>`;
  return await visit.page({ title: words.title, status: words.status, main });
}

const COPY = 'Copy it from below, then fill in the form once more.';

function stepsOf(isSignedOut: boolean): string {
  return isSignedOut
    ? 'Sign in in a new tab, come back to this one, and send it.'
    : 'Look it over, then send it.';
}

function writtenField(name: string, value: string): Html {
  const lines = value.split('\n').reduce((sum, line) => sum + 1 + line.length / LINE_CHARS, 0);
  const rows = Math.min(ROWS_MAX, Math.ceil(lines));
  return textArea({ name, label: WRITTEN.get(name) ?? name, value, rows });
}

async function hasFile(form: Form, names: readonly string[]): Promise<boolean> {
  for (const name of names) if ((await form.file(name)) !== undefined) return true;
  return false;
}

/** Here a browser that says nothing of where the form comes from is not believed. */
function isSurelyOwn(visit: Visit): boolean {
  if (visit.header('sec-fetch-site') !== '')
    return visit.header('sec-fetch-site') === 'same-origin';
  return visit.header('origin') !== '';
}
