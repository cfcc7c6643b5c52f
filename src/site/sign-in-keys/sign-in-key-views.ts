// Pages of sign-in keys.

import { html } from 'hono/html';
import type { Errors } from '#site/accounts/entry-views.ts';
import { currentPasswordField } from '#site/accounts/own-views.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { timeAgo } from '#site/components/figures.ts';
import { errorSummary, formActions, postForm, textField } from '#site/components/form.ts';
import type { Html } from '#site/components/markup.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { table } from '#site/components/table.ts';
import { href, hrefTo } from '#site/routes.ts';
import { KEY_LABEL_LENGTH_MAX, type SignInKey } from './sign-in-keys.ts';

/** What the script hands to the browser. */
export interface MakeKey {
  readonly deed: 'make';
  readonly challenge: string;
  readonly party: string;
  readonly site: string;
  readonly name: string;
  readonly user: string;
  readonly algorithms: readonly number[];
  readonly known: readonly string[];
}

export interface UseKey {
  readonly deed: 'use';
  readonly challenge: string;
  readonly party: string;
}

const MADE_FIELDS = ['credential', 'clientData', 'authData', 'publicKey', 'algorithm'] as const;
const USED_FIELDS = ['credential', 'clientData', 'authData', 'signature'] as const;

export function keysMain(view: {
  readonly csrf: string;
  readonly keys: readonly SignInKey[];
  readonly nowMs: number;
  readonly label: string;
  readonly errors: Errors;
}): Html {
  const { csrf, keys, nowMs, label, errors } = view;
  const list =
    keys.length === 0
      ? emptyState({
          title: 'You have no sign-in keys',
          text: 'With one, your fingerprint, your face or a security key signs you in without a password, and nobody can steal it by a false page.',
          icon: 'key',
        })
      : table({
          caption: 'Your sign-in keys',
          rows: keys,
          columns: [
            { label: 'Key', kind: 'title', cell: (key) => key.label },
            { label: 'Added', kind: 'figure', cell: (key) => timeAgo(key.createdMs, nowMs) },
            {
              label: 'Last used',
              kind: 'figure',
              cell: (key) => (key.usedMs === undefined ? 'never' : timeAgo(key.usedMs, nowMs)),
            },
            {
              label: 'Actions',
              kind: 'actions',
              cell: (key) =>
                postForm({
                  action: hrefTo('signInKeyRemove', { id: key.id }),
                  csrf,
                  inline: true,
                  body: submitButton({ label: 'Remove', about: key.label, small: true }),
                }),
            },
          ],
        });
  const form = postForm({
    action: href('signInKeys'),
    csrf,
    body: html`${textField({
      name: 'label',
      label: 'What you call it',
      hint: 'The device, or where you keep the key. Only you see it.',
      value: label,
      lengthMax: KEY_LABEL_LENGTH_MAX,
      autocomplete: 'off',
    })}${currentPasswordField(errors)}${formActions(submitButton({ label: 'Go on', kind: 'primary' }))}`,
  });
  return html`<div class="medium stack">${pageHead({ title: 'Sign-in keys', lead: 'Keys that your devices keep; others call them passkeys.' })}${errorSummary(errors)}${panel({ title: 'Your keys', body: list, flush: true })}${panel({ title: 'New key', body: form })}</div>`;
}

/** The device is asked when the button is pressed; the script fills the hidden fields. */
export function ceremonyMain(csrf: string, asked: MakeKey | UseKey): Html {
  const isMade = asked.deed === 'make';
  const fields = (isMade ? MADE_FIELDS : USED_FIELDS).map(
    (name) => html`<input type="hidden" name="${name}" value="">`,
  );
  const words = isMade
    ? 'Your device makes a key for this site when you press the button.'
    : 'Your device shows which keys it has for this site.';
  const button = html`<button type="submit" class="button button-primary" disabled>${isMade ? 'Make the key' : 'Use a key'}</button>`;
  const body = html`<p>${words}</p>${postForm({
    action: isMade ? href('signInKeyMade') : href('signInByKey'),
    csrf,
    label: 'Key of this device',
    body: html`<input type="hidden" name="asked" value="${JSON.stringify(asked)}">${fields}${formActions(
      button,
      linkButton({
        label: isMade ? 'Not now' : 'Use the password',
        href: isMade ? href('signInKeys') : href('signIn'),
      }),
    )}`,
  })}<p data-state role="status"></p><noscript><p class="muted">Keys of devices need scripts. The password does without.</p></noscript>`;
  return html`<div class="narrow stack">${pageHead({ title: isMade ? 'Make a key' : 'Sign in with a key' })}${panel({ title: 'Key of this device', body })}</div>`;
}
