// Pages of one's own account: password, sessions, invites.

import { html } from 'hono/html';
import { badge } from '#site/components/badge.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import { confirmation } from '#site/components/confirmation.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { timeAgo, timeUntil } from '#site/components/figures.ts';
import { errorSummary, formActions, postForm, textField } from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { notice } from '#site/components/notice.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { secret } from '#site/components/secret.ts';
import { table } from '#site/components/table.ts';
import { plural } from '#site/format/number.ts';
import { href, hrefTo } from '#site/routes.ts';
import type { Errors } from './entry-views.ts';
import type { Invite } from './invites.ts';
import { PASSWORD_LENGTH } from './passwords.ts';
import { CURRENT_FIELD } from './prove-member.ts';
import { deviceName, type Session } from './sessions.ts';

export function passwordMain(csrf: string, name: string, errors: Errors): Html {
  const body = html`<input type="text" name="username" value="${name}" autocomplete="username" readonly hidden>${currentPasswordField(errors)}${textField(
    {
      name: 'password',
      label: 'New password',
      type: 'password',
      autocomplete: 'new-password',
      required: true,
      hint: `At least ${PASSWORD_LENGTH.min} characters.`,
      lengthMin: PASSWORD_LENGTH.min,
      lengthMax: PASSWORD_LENGTH.max,
      error: errors['password'],
    },
  )}${formActions(submitButton({ label: 'Change password', kind: 'primary' }))}`;
  return html`<div class="narrow stack">${pageHead({ title: 'Password', lead: 'Changing it signs you out on every other device.' })}${errorSummary(errors)}${panel({ title: 'Change password', body: postForm({ action: href('password'), csrf, body }) })}</div>`;
}

/** By which a member proves who they are before something that matters. */
export function currentPasswordField(errors: Errors): Html {
  return textField({
    name: CURRENT_FIELD,
    label: 'Current password',
    type: 'password',
    autocomplete: 'current-password',
    required: true,
    lengthMax: PASSWORD_LENGTH.max,
    error: errors[CURRENT_FIELD],
  });
}

export interface SessionsView {
  readonly csrf: string;
  readonly sessions: readonly Session[];
  readonly currentId: number;
  readonly nowMs: number;
}

export function sessionsMain(view: SessionsView): Html {
  const { sessions, currentId, nowMs, csrf } = view;
  const list = table({
    caption: 'Devices you are signed in on',
    rows: sessions,
    columns: [
      {
        label: 'Device',
        kind: 'title',
        cell: (session) =>
          html`${deviceName(session.device)} ${session.id === currentId ? badge('good', 'This device') : NOTHING}`,
      },
      {
        label: 'Address',
        cell: (session) =>
          session.address === ''
            ? html`<span class="muted">not kept</span>`
            : html`<span class="mono">${session.address}</span>`,
      },
      { label: 'Signed in', kind: 'figure', cell: (session) => timeAgo(session.createdMs, nowMs) },
      { label: 'Last used', kind: 'figure', cell: (session) => timeAgo(session.seenMs, nowMs) },
      {
        label: 'Actions',
        kind: 'actions',
        cell: (session) =>
          postForm({
            action: hrefTo('sessionRevoke', { id: session.id }),
            csrf,
            inline: true,
            body: submitButton({
              label: 'Sign out',
              about: `of ${deviceName(session.device)}`,
              small: true,
            }),
          }),
      },
    ],
  });
  return html`${pageHead({
    title: 'Sessions',
    lead: `You are signed in on ${plural(sessions.length, 'device')}. A device that you do not know should be signed out, and the password changed.`,
    actions: linkButton({
      label: 'Sign out everywhere',
      href: href('sessionsRevokeAll'),
      kind: 'danger',
    }),
  })}${list}`;
}

export function revokeAllMain(csrf: string, count: number): Html {
  return confirmation({
    question: 'Sign out everywhere?',
    consequence: html`<p>${plural(count, 'device')} will have to sign in again, this one too. Your torrents go on: clients announce with your passkey, not with your session.</p>`,
    action: href('sessionsRevokeAll'),
    csrf,
    confirmLabel: 'Sign out everywhere',
    cancelHref: href('sessions'),
  });
}

export interface InvitesView {
  readonly csrf: string;
  readonly invites: readonly Invite[];
  readonly nowMs: number;
  readonly days: number;
  readonly note: string;
  readonly errors: Errors;
  /** Just made; shown this once. */
  readonly newUrl?: string;
  /** Sign-up is closed, so that invites open nothing. */
  readonly isClosed: boolean;
}

export function invitesMain(view: InvitesView): Html {
  const made =
    view.newUrl === undefined
      ? NOTHING
      : notice(
          'good',
          html`<strong>Your invite is ready</strong><p>Send this link to one person. It is not shown again.</p>${secret(view.newUrl)}`,
        );
  const closed = view.isClosed
    ? notice(
        'warn',
        'Sign-up is closed at present: invites open nothing until an admin changes that.',
      )
    : NOTHING;
  const form = postForm({
    action: href('invites'),
    csrf: view.csrf,
    body: html`${textField({
      name: 'note',
      label: 'For whom',
      hint: `Only you see it. The link works once, for ${plural(view.days, 'day')}.`,
      value: view.note,
      lengthMax: 100,
      autocomplete: 'off',
      error: view.errors['note'],
    })}${formActions(submitButton({ label: 'Make an invite', kind: 'primary' }))}`,
  });
  const list =
    view.invites.length === 0
      ? emptyState({
          title: 'You have not invited anybody yet',
          text: 'Make an invite above and send its link to one person you trust.',
          icon: 'people',
        })
      : inviteTable(view);
  return html`<div class="medium stack">${pageHead({ title: 'Invites', lead: 'Who comes by your invite is shown as invited by you.', actions: linkButton({ label: 'Who came by them', href: href('inviteTree') }) })}${closed}${made}${errorSummary(view.errors)}${panel({ title: 'New invite', body: form })}${panel({ title: 'Your invites', body: list, flush: true })}</div>`;
}

function inviteTable({ invites, nowMs, csrf }: InvitesView): Html {
  return table({
    caption: 'Your invites, the newest first',
    rows: invites,
    columns: [
      {
        label: 'For',
        kind: 'title',
        cell: (invite) => (invite.note === '' ? 'No note' : invite.note),
      },
      { label: 'State', cell: (invite) => inviteState(invite, nowMs) },
      { label: 'Made', kind: 'figure', cell: (invite) => timeAgo(invite.createdMs, nowMs) },
      {
        label: 'Actions',
        kind: 'actions',
        cell: (invite) =>
          invite.state === 'open'
            ? postForm({
                action: hrefTo('inviteRevoke', { id: invite.id }),
                csrf,
                inline: true,
                body: submitButton({
                  label: 'Revoke',
                  about: `the invite for ${invite.note === '' ? 'nobody in particular' : invite.note}`,
                  small: true,
                }),
              })
            : NOTHING,
      },
    ],
  });
}

function inviteState(invite: Invite, nowMs: number): Html {
  switch (invite.state) {
    case 'open':
      return html`${badge('accent', 'Open')} <span class="muted small">ends ${timeUntil(invite.expiresMs, nowMs)}</span>`;
    case 'used':
      return invite.usedBy === undefined
        ? badge('good', 'Used')
        : html`${badge('good', 'Used')} by <a href="${hrefTo('member', { name: invite.usedBy })}">${invite.usedBy}</a>`;
    case 'revoked':
      return badge('plain', 'Revoked');
    case 'expired':
      return badge('plain', 'Expired');
  }
}
