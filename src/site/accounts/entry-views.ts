// Pages of those who are not signed in: the start, sign-in, sign-up, and the first run.

import { html } from 'hono/html';
import { linkButton, submitButton } from '#site/components/button.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { errorSummary, formActions, postForm, textField } from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { notice, refusalNotice } from '#site/components/notice.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { href } from '#site/routes.ts';
import { NAME_LENGTH } from './members.ts';
import { PASSWORD_LENGTH } from './passwords.ts';

/** Messages by field name. */
export type Errors = Readonly<Record<string, string>>;

const NAME_HINT = `${NAME_LENGTH.min} to ${NAME_LENGTH.max} letters, digits, dots, dashes. Others see it.`;
const PASSWORD_HINT = `At least ${PASSWORD_LENGTH.min} characters. A few random words are best.`;

export function waitingMain(): Html {
  return emptyState({
    title: 'Swarmkeep is running',
    text: html`It waits for its operator. The server printed a link when it started, beginning with <code>/first-run/</code>. Open it to name this site and make the first account.`,
    icon: 'key',
    isPage: true,
  });
}

interface SignInForm {
  readonly csrf: string;
  readonly name: string;
  readonly next: string;
  readonly error?: string;
  readonly siteName: string;
  readonly signUpHref: string | undefined;
}

export function signInMain(form: SignInForm): Html {
  const join =
    form.signUpHref === undefined
      ? html`<p class="muted small">New here? Membership begins with an invite from a member.</p>`
      : html`<p class="small">New here? <a href="${form.signUpHref}">Sign up</a>.</p>`;
  const other = html`<p class="small"><a href="${href('signInByKey', { next: form.next })}">Sign in with a key of this device</a> · <a href="${href('forgot')}">Forgotten password</a></p>`;
  const body = html`<input type="hidden" name="next" value="${form.next}">${textField({
    name: 'name',
    label: 'Name',
    value: form.name,
    autocomplete: 'username',
    autocapitalize: 'none',
    required: true,
    lengthMax: 64,
  })}${textField({
    name: 'password',
    label: 'Password',
    type: 'password',
    autocomplete: 'current-password',
    required: true,
    lengthMax: PASSWORD_LENGTH.max,
  })}${formActions(submitButton({ label: 'Sign in', kind: 'primary', wide: true }))}`;
  return html`<div class="narrow stack">${pageHead({ title: `Sign in to ${form.siteName}` })}${form.error === undefined ? NOTHING : refusalNotice(form.error)}${panel({ title: 'Your account', body: html`${postForm({ action: href('signIn'), csrf: form.csrf, body })}${other}${join}` })}</div>`;
}

interface SignUpForm {
  readonly csrf: string;
  readonly action: string;
  readonly siteName: string;
  readonly name: string;
  readonly errors: Errors;
  /** Who invited; undefined where sign-up is open to all. */
  readonly inviter: string | undefined;
}

export function signUpMain(form: SignUpForm): Html {
  const lead =
    form.inviter === undefined ? undefined : html`<strong>${form.inviter}</strong> invites you.`;
  const body = html`${nameField(form.name, form.errors)}${newPasswordField(form.errors)}${formActions(submitButton({ label: 'Sign up', kind: 'primary', wide: true }))}`;
  return html`<div class="narrow stack">${pageHead({ title: `Join ${form.siteName}`, ...(lead === undefined ? {} : { lead }) })}${errorSummary(form.errors)}${panel({ title: 'Your account', body: postForm({ action: form.action, csrf: form.csrf, body }) })}</div>`;
}

export function noSignUpMain(siteName: string, text: string): Html {
  return emptyState({
    title: `You cannot sign up to ${siteName} this way`,
    text,
    icon: 'people',
    isPage: true,
    action: linkButton({ label: 'Go to sign-in', href: href('signIn') }),
  });
}

export interface FirstRunValues {
  readonly siteName: string;
  readonly name: string;
  readonly publicUrl: string;
  readonly trackerHttpUrl: string;
  readonly trackerUdpUrl: string;
  readonly trackerWsUrl: string;
}

interface FirstRunForm {
  readonly csrf: string;
  readonly action: string;
  readonly values: FirstRunValues;
  readonly errors: Errors;
  /** Addresses that the configuration sets are told, not asked. */
  readonly isSet: Readonly<Record<'site' | 'http' | 'udp' | 'ws', boolean>>;
  /** Doors that are not open are not asked for. */
  readonly hasWs: boolean;
}

export function firstRunMain(form: FirstRunForm): Html {
  const { values, errors } = form;
  const account = html`<div class="form">${nameField(values.name, errors)}${newPasswordField(errors)}</div>`;
  const body = html`${panel({
    title: 'The site',
    body: html`<div class="form">${textField({
      name: 'siteName',
      label: 'Name of this site',
      value: values.siteName,
      error: errors['siteName'],
      hint: 'Stands at the top of every page.',
      required: true,
      lengthMax: 60,
    })}</div>`,
  })}${panel({ title: 'Your account', aside: 'runs the site', body: account })}${panel({ title: 'Public addresses', body: addressFields(form) })}${formActions(submitButton({ label: 'Open the site', kind: 'primary' }))}`;
  return html`<div class="medium stack">${pageHead({ title: 'Set up this site', lead: 'Three things, once. All but your name can be changed later in the console.' })}${errorSummary(errors)}${postForm({ action: form.action, csrf: form.csrf, body })}</div>`;
}

function addressFields({ values, errors, isSet, hasWs }: FirstRunForm): Html {
  const fields = [
    {
      name: 'publicUrl',
      label: 'Site',
      value: values.publicUrl,
      isSet: isSet.site,
      hint: 'What members type to get here.',
    },
    {
      name: 'trackerHttpUrl',
      label: 'Tracker, HTTP',
      value: values.trackerHttpUrl,
      isSet: isSet.http,
      hint: 'What clients announce to. It is written into every .torrent that a member downloads.',
    },
    {
      name: 'trackerUdpUrl',
      label: 'Tracker, UDP',
      value: values.trackerUdpUrl,
      isSet: isSet.udp,
      hint: 'For the clients that announce over UDP.',
    },
    ...(hasWs
      ? [
          {
            name: 'trackerWsUrl',
            label: 'Tracker, WebSocket',
            value: values.trackerWsUrl,
            isSet: isSet.ws,
            hint: 'For clients that run in a browser.',
          },
        ]
      : []),
  ];
  const items = fields.map(({ name, label, value, hint, isSet: fixed }) =>
    fixed
      ? html`<div class="field"><p class="label">${label}</p><p class="hint">Set in the configuration.</p><code>${value}</code></div>`
      : textField({
          name,
          label,
          value,
          hint,
          error: errors[name],
          lengthMax: 300,
          autocapitalize: 'none',
          autocomplete: 'off',
        }),
  );
  return html`<div class="form">${notice('info', 'Addresses that begin with 127.0.0.1 or localhost work on this machine only. Put in what other people reach.')}${items}</div>`;
}

export function nameField(value: string, errors: Errors): Html {
  return textField({
    name: 'name',
    label: 'Name',
    value,
    hint: NAME_HINT,
    error: errors['name'],
    autocomplete: 'username',
    autocapitalize: 'none',
    required: true,
    lengthMin: NAME_LENGTH.min,
    lengthMax: NAME_LENGTH.max,
  });
}

export function newPasswordField(errors: Errors): Html {
  return textField({
    name: 'password',
    label: 'Password',
    type: 'password',
    hint: PASSWORD_HINT,
    error: errors['password'],
    autocomplete: 'new-password',
    required: true,
    lengthMin: PASSWORD_LENGTH.min,
    lengthMax: PASSWORD_LENGTH.max,
  });
}
