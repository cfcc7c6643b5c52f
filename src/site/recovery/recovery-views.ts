// Pages of the ways back into an account.

import { html } from 'hono/html';
import { type Errors, newPasswordField } from '#site/accounts/entry-views.ts';
import { currentPasswordField } from '#site/accounts/own-views.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import { errorSummary, formActions, postForm, textField } from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { notice } from '#site/components/notice.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { href } from '#site/routes.ts';
import { EMAIL_LENGTH_MAX } from './member-email.ts';

export function forgotMain(csrf: string, isConfigured: boolean): Html {
  const staff = html`<p>Without a confirmed e-mail address, ask the staff: they can make a link for you.</p>`;
  const form = postForm({
    action: href('forgot'),
    csrf,
    body: html`${textField({
      name: 'who',
      label: 'Name or e-mail address',
      autocomplete: 'username',
      autocapitalize: 'none',
      required: true,
      lengthMax: EMAIL_LENGTH_MAX,
    })}${formActions(submitButton({ label: 'Send me a link', kind: 'primary', wide: true }))}`,
  });
  const body = isConfigured
    ? html`${form}<div class="small muted">${staff}</div>`
    : html`<p>This site sends no e-mail.</p>${staff}<p>${linkButton({ label: 'Back to sign-in', href: href('signIn') })}</p>`;
  return html`<div class="narrow stack">${pageHead({ title: 'Forgotten password' })}${panel({ title: 'A new password', body })}</div>`;
}

export function resetMain(form: {
  readonly csrf: string;
  readonly action: string;
  readonly name: string;
  readonly errors: Errors;
}): Html {
  const { csrf, action, name, errors } = form;
  const body = html`<input type="text" name="username" value="${name}" autocomplete="username" readonly hidden>${newPasswordField(errors)}${formActions(submitButton({ label: 'Set the password', kind: 'primary', wide: true }))}`;
  return html`<div class="narrow stack">${pageHead({ title: 'New password', lead: html`For <strong>${name}</strong>. Every device is signed out.` })}${errorSummary(errors)}${panel({ title: 'Choose a password', body: postForm({ action, csrf, body }) })}</div>`;
}

export function emailMain(view: {
  readonly csrf: string;
  readonly current: string | undefined;
  readonly isConfigured: boolean;
  readonly address: string;
  readonly errors: Errors;
}): Html {
  const { csrf, current, isConfigured, address, errors } = view;
  const head = pageHead({
    title: 'E-mail',
    lead: 'For letters about your account, such as a new password. Nobody else sees it.',
  });
  const off = isConfigured
    ? NOTHING
    : notice('info', 'This site sends no e-mail at present, so that no address can be confirmed.');
  const now =
    current === undefined
      ? html`<p class="muted">None is confirmed. Without one, only the staff can help when you forget your password.</p>`
      : html`<p><strong>${current}</strong></p>${postForm({
          action: href('emailRemove'),
          csrf,
          label: 'Remove the address',
          body: html`${currentPasswordField({})}${formActions(submitButton({ label: 'Remove the address', kind: 'danger' }))}`,
        })}`;
  const change = isConfigured
    ? panel({
        title: current === undefined ? 'Give an address' : 'Change the address',
        body: postForm({
          action: href('email'),
          csrf,
          body: html`${textField({
            name: 'address',
            label: 'Address',
            type: 'email',
            autocomplete: 'email',
            autocapitalize: 'none',
            value: address,
            required: true,
            lengthMax: EMAIL_LENGTH_MAX,
            hint: 'A letter with a link goes there; it counts once you opened that.',
            error: errors['address'],
          })}${currentPasswordField(errors)}${formActions(submitButton({ label: 'Send the letter', kind: 'primary' }))}`,
        }),
      })
    : NOTHING;
  return html`<div class="medium stack">${head}${errorSummary(errors)}${off}${panel({ title: 'Your address', body: now })}${change}</div>`;
}
