// Pages of the second factor.

import { html } from 'hono/html';
import type { Errors } from '#site/accounts/entry-views.ts';
import { currentPasswordField } from '#site/accounts/own-views.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import { confirmation } from '#site/components/confirmation.ts';
import { timeAgo } from '#site/components/figures.ts';
import { errorSummary, formActions, postForm, textField } from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { notice } from '#site/components/notice.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { qrCode } from '#site/components/qr-code.ts';
import { reveal, secret } from '#site/components/secret.ts';
import { plural } from '#site/format/number.ts';
import { href } from '#site/routes.ts';
import type { SecondFactorState } from './second-factor.ts';
import { base32, totpUri } from './totp.ts';

/** Below so many it is time for new ones. */
const CODES_FEW = 4;

export interface FactorView {
  readonly csrf: string;
  readonly state: SecondFactorState;
  readonly site: string;
  readonly name: string;
  readonly nowMs: number;
  readonly errors: Errors;
  /** Just made; shown this once. */
  readonly codes?: readonly string[];
}

export function factorMain(view: FactorView): Html {
  const head = pageHead({
    title: 'Second factor',
    lead: 'A code of your phone beside your password, so that a stolen password opens nothing.',
  });
  return html`<div class="medium stack">${head}${errorSummary(view.errors)}${codesNotice(view.codes)}${stateOf(view)}</div>`;
}

function stateOf(view: FactorView): Html {
  switch (view.state.kind) {
    case 'off':
      return offPanel(view);
    case 'begun':
      return setUpPanel(view, view.state.secret);
    case 'on':
      return onPanels(view, view.state);
  }
}

function codesNotice(codes: readonly string[] | undefined): Html {
  if (codes === undefined) return NOTHING;
  return notice(
    'good',
    html`<strong>Your recovery codes</strong><p>Each signs you in once when your phone is lost. Print them or keep them with your passwords: they are not shown again.</p>${secret(codes.join('\n'))}`,
  );
}

function offPanel({ csrf, errors }: FactorView): Html {
  const body = html`<p>It is off. You need an authenticator app, such as Aegis, FreeOTP, 2FAS or a password manager.</p>${postForm(
    {
      action: href('secondFactor'),
      csrf,
      body: html`${currentPasswordField(errors)}${formActions(submitButton({ label: 'Set it up', kind: 'primary' }))}`,
    },
  )}`;
  return panel({ title: 'Codes of an app', aside: 'off', body });
}

function setUpPanel(view: FactorView, bytes: Uint8Array): Html {
  const { csrf, errors, site, name } = view;
  const text = base32(bytes).replaceAll(/(.{4})(?=.)/g, '$1 ');
  const body = html`<p>Scan this with your app, then type the code that it shows.</p>${qrCode(totpUri(bytes, { site, name }), 'The secret for your app, as a QR code')}${reveal('Type it in instead', html`<p class="small muted">Time-based, six digits, 30 seconds.</p>${secret(text)}`)}${postForm(
    {
      action: href('secondFactorConfirm'),
      csrf,
      body: html`${codeField(errors, 'Code of your app')}${formActions(
        submitButton({ label: 'Switch it on', kind: 'primary' }),
        linkButton({ label: 'Not now', href: href('secondFactorOff') }),
      )}`,
    },
  )}`;
  return panel({ title: 'Codes of an app', aside: 'not on yet', body });
}

function onPanels(view: FactorView, state: SecondFactorState & { kind: 'on' }): Html {
  const { csrf, errors, nowMs } = view;
  const few =
    state.codesLeft < CODES_FEW
      ? notice('warn', `${plural(state.codesLeft, 'recovery code')} left. Make new ones.`)
      : NOTHING;
  const on = panel({
    title: 'Codes of an app',
    aside: 'on',
    body: html`<p>Signing in asks for a code since ${timeAgo(state.sinceMs, nowMs)}.</p><p>${linkButton({ label: 'Switch it off', href: href('secondFactorOff'), kind: 'danger' })}</p>`,
  });
  const codes = panel({
    title: 'Recovery codes',
    aside: `${state.codesLeft} left`,
    body: html`<p>For the day on which your phone is lost. New ones make those before void.</p>${postForm(
      {
        action: href('secondFactorCodes'),
        csrf,
        body: html`${currentPasswordField(errors)}${formActions(submitButton({ label: 'Make new recovery codes' }))}`,
      },
    )}`,
  });
  return html`${few}${on}${codes}`;
}

export function offMain(csrf: string, errors: Errors): Html {
  return html`${errorSummary(errors)}${confirmation({
    question: 'Switch the second factor off?',
    consequence:
      'Signing in asks for your password alone. Your recovery codes are void; you can set it up again.',
    action: href('secondFactorOff'),
    csrf,
    confirmLabel: 'Switch it off',
    cancelHref: href('secondFactor'),
    fields: currentPasswordField(errors),
  })}`;
}

/** After the password. */
export function codeMain(csrf: string, errors: Errors): Html {
  const body = postForm({
    action: href('signInCode'),
    csrf,
    body: html`${codeField(errors, 'Code')}${formActions(submitButton({ label: 'Sign in', kind: 'primary', wide: true }))}`,
  });
  return html`<div class="narrow stack">${pageHead({ title: 'Enter a code', lead: 'Your password was right.' })}${errorSummary(errors)}${panel({ title: 'Second factor', body: html`${body}<p class="small muted">Lost your phone? A recovery code works here too. Without one, ask the staff.</p>` })}</div>`;
}

function codeField(errors: Errors, label: string): Html {
  return textField({
    name: 'code',
    label,
    hint: 'Six digits, a new code every 30 seconds.',
    autocomplete: 'one-time-code',
    autocapitalize: 'none',
    required: true,
    autofocus: true,
    lengthMax: 20,
    error: errors['code'],
  });
}
