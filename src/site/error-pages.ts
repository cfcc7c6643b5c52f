// Pages for what cannot be shown: what happened, in words, and what to do next.

import { html } from 'hono/html';
import { linkButton } from './components/button.ts';
import { type Html, NOTHING } from './components/markup.ts';
import type { BodyRefusal } from './form-data.ts';
import { href } from './routes.ts';

export interface ErrorWords {
  readonly status: 400 | 401 | 403 | 404 | 405 | 409 | 413 | 415 | 429 | 500 | 503;
  readonly title: string;
  readonly text: string;
}

/** Failures after which nothing was changed, and the same may go well in a moment. */
export const BUSY_CODES: ReadonlySet<string | undefined> = new Set([
  'SITE_PASSWORDS_BUSY',
  'SQL_BUSY',
  'SQL_DEADLOCK',
  'SQL_TRANSACTION_TIMEOUT',
]);

export const ERROR_WORDS = {
  forbidden: {
    status: 403,
    title: 'This is not open to you',
    text: 'Your account may not do this. Ask the staff when you think it should.',
  },
  bannedAddress: {
    status: 403,
    title: 'Your network is banned here',
    text: 'The staff did so.',
  },
  signedOut: {
    status: 401,
    title: 'You are signed out',
    text: 'Nothing was changed. Sign in, then do it again.',
  },
  crossSite: {
    status: 403,
    title: 'This form came from somewhere else',
    text: 'Nothing was changed. Forms are taken from this site alone.',
  },
  staleForm: {
    status: 403,
    title: 'This form is too old',
    text: 'Nothing was changed. Go back, load the page again and send the form once more.',
  },
  method: {
    status: 405,
    title: 'That is not how this works',
    text: 'This address does not take such a request.',
  },
  busy: {
    status: 503,
    title: 'Too much is going on right now',
    text: 'Nothing was changed. Try again in a few seconds.',
  },
  uploadsBusy: {
    status: 503,
    title: 'Too many uploads at once',
    text: 'Others are being read. Nothing was kept of yours: send the file again in a few seconds.',
  },
  failed: {
    status: 500,
    title: 'Something went wrong here',
    text: 'It is written down for the operator. Try again; if it stays so, tell them the number below.',
  },
} as const satisfies Record<string, ErrorWords>;

export const BODY_WORDS: Readonly<Record<BodyRefusal, ErrorWords>> = {
  'too-large': {
    status: 413,
    title: 'This is too large',
    text: 'Nothing was saved. What you sent is larger than what is accepted here.',
  },
  'wrong-type': {
    status: 415,
    title: 'This is not a form',
    text: 'Nothing was changed. Send a form as browsers do.',
  },
  malformed: {
    status: 400,
    title: 'This form cannot be read',
    text: 'Nothing was changed. It may have been cut off on its way; send it again.',
  },
};

/** Too many attempts; `waitMs` until the next one is taken. */
export function tooMany(waitMs: number): ErrorWords {
  const seconds = Math.ceil(waitMs / 1000);
  const wait = seconds < 90 ? `${seconds} seconds` : `${Math.ceil(seconds / 60)} minutes`;
  return {
    status: 429,
    title: 'Too many attempts',
    text: `Nothing was changed. Wait ${wait}, then try again.`,
  };
}

export function errorMain(words: ErrorWords, visit: { readonly requestId: string }): Html {
  const number =
    words.status >= 500
      ? html`<p class="small muted">Number of this request: <code>${visit.requestId}</code></p>`
      : NOTHING;
  const button =
    words.status === 401
      ? linkButton({ label: 'Sign in', href: href('signIn'), kind: 'primary' })
      : linkButton({ label: 'Go to the start', href: href('home') });
  return html`<div class="narrow stack"><p class="muted small">Error ${words.status}</p><h1>${words.title}</h1><p>${words.text}</p>${number}<div class="form-actions">${button}</div></div>`;
}
