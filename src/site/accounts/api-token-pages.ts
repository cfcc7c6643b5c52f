// The page of one's own tokens: made here, shown once in the answer itself, and removed.

import { html } from 'hono/html';
import { badge } from '#site/components/badge.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import { confirmation } from '#site/components/confirmation.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { timeAgo, timeUntil } from '#site/components/figures.ts';
import {
  checkField,
  errorSummary,
  formActions,
  postForm,
  selectField,
  textField,
} from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { notice } from '#site/components/notice.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { secret } from '#site/components/secret.ts';
import { table } from '#site/components/table.ts';
import { isPermission, type Permission } from '#site/permissions.ts';
import { Refusal } from '#site/refusal.ts';
import { href, hrefTo } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import {
  type ApiToken,
  addApiToken,
  listApiTokens,
  removeApiToken,
  scopeOptions,
  TOKEN_LABEL_LENGTH_MAX,
} from './api-tokens.ts';
import type { Errors } from './entry-views.ts';
import { currentPasswordField } from './own-views.ts';
import { proveMember } from './prove-member.ts';

const LASTING = [
  { value: '30', label: '30 days' },
  { value: '90', label: '90 days' },
  { value: '365', label: 'A year' },
  { value: '', label: 'Until it is removed' },
] as const;

interface TokenForm {
  readonly label: string;
  readonly scopes: readonly string[];
  readonly days: string;
  readonly errors: Errors;
  /** Just made; shown this once. */
  readonly token?: string;
}

const EMPTY_FORM: TokenForm = { label: '', scopes: ['browse'], days: '90', errors: {} };

export async function showApiTokens(visit: Visit): Promise<Response> {
  return await tokensPage(visit, EMPTY_FORM);
}

/** The token is shown in the answer itself, because nothing keeps it for a page after a redirect. */
export async function postApiToken(visit: Visit): Promise<Response> {
  const { parts, form } = visit;
  const { name, memberId } = visit.signedIn();
  const label = form.text('label').slice(0, 200);
  const scopes = form.texts('scopes').filter(isPermission);
  const days = LASTING.find((one) => one.value === form.text('days'))?.value ?? '90';
  const typed = { label, scopes, days };
  const unproven = await proveMember(visit);
  const made =
    unproven ??
    (await addApiToken(parts, await parts.roleBook.current(), {
      member: name,
      label,
      scopes,
      ...(days === '' ? {} : { days: Number(days) }),
    }));
  if (made instanceof Refusal) {
    return await tokensPage(visit, { ...typed, errors: { [made.field ?? 'label']: made.message } });
  }
  parts.logger.info('A token was made', { memberId, scopes: scopes.join(' ') });
  return await tokensPage(visit, { ...EMPTY_FORM, token: made.token });
}

async function tokensPage(visit: Visit, form: TokenForm): Promise<Response> {
  const main = tokensMain({
    csrf: visit.csrfToken,
    form,
    permissions: visit.permissions,
    tokens: await listApiTokens(visit.parts.sql, visit.signedIn().memberId),
    nowMs: visit.nowMs,
  });
  const status = Object.keys(form.errors).length === 0 ? 200 : 422;
  return await visit.page({ title: 'Tokens', main, section: 'me', status });
}

export async function showApiTokenRemove(visit: Visit): Promise<Response> {
  const token = await ownToken(visit);
  if (token === undefined) return await visit.notFound('This token was removed already.');
  const main = confirmation({
    question: `Remove the token "${nameOf(token)}"?`,
    consequence: html`<p>What runs with it is refused from its next request on. There is no way back; a new token can be made at any time.</p>`,
    action: hrefTo('apiTokenRemove', { id: token.id }),
    csrf: visit.csrfToken,
    confirmLabel: 'Remove token',
    cancelHref: href('apiTokens'),
  });
  return await visit.page({ title: 'Remove token', main, section: 'me' });
}

export async function postApiTokenRemove(visit: Visit): Promise<Response> {
  const id = visit.numberParam('id');
  const { memberId } = visit.signedIn();
  const done = id !== undefined && (await removeApiToken(visit.parts.sql, id, memberId));
  if (!done) return await visit.notFound('This token was removed already.');
  return visit.redirect(href('apiTokens'), { kind: 'good', text: 'The token is removed.' });
}

async function ownToken(visit: Visit): Promise<ApiToken | undefined> {
  const tokens = await listApiTokens(visit.parts.sql, visit.signedIn().memberId);
  return tokens.find((token) => token.id === visit.numberParam('id'));
}

interface TokensView {
  readonly csrf: string;
  readonly form: TokenForm;
  readonly permissions: ReadonlySet<Permission>;
  readonly tokens: readonly ApiToken[];
  readonly nowMs: number;
}

function tokensMain(view: TokensView): Html {
  const { form, tokens, csrf, permissions } = view;
  const made =
    form.token === undefined
      ? NOTHING
      : notice(
          'good',
          html`<strong>Your token is ready</strong><p>Copy it now: it is not shown again. Programs send it as <code>Authorization: Bearer</code>.</p>${secret(form.token)}`,
        );
  const fields = html`${textField({
    name: 'label',
    label: 'What it is for',
    hint: 'Only you see it.',
    value: form.label,
    lengthMax: TOKEN_LABEL_LENGTH_MAX,
    autocomplete: 'off',
    error: form.errors['label'],
  })}${checkField({
    name: 'scopes',
    label: 'What it may do',
    hint: 'Give it what the program needs and no more. It can never do more than you can.',
    options: scopeOptions(permissions),
    values: form.scopes,
    error: form.errors['scopes'],
  })}${selectField({
    name: 'days',
    label: 'How long it lasts',
    options: LASTING,
    value: form.days,
  })}${currentPasswordField(form.errors)}${formActions(submitButton({ label: 'Make a token', kind: 'primary' }))}`;
  const list =
    tokens.length === 0
      ? emptyState({
          title: 'You have no tokens',
          text: 'A program that uploads, searches or backs up for you signs in with a token instead of your password. Make one above.',
          icon: 'key',
        })
      : tokenTable(view);
  return html`<div class="medium stack">${pageHead({ title: 'Tokens', lead: 'By which programs act for you.' })}${made}${errorSummary(form.errors)}${panel({ title: 'Your tokens', body: list, flush: true })}${panel({ title: 'New token', body: postForm({ action: href('apiTokens'), csrf, body: fields }) })}</div>`;
}

function tokenTable({ tokens, nowMs }: TokensView): Html {
  return table({
    caption: 'Your tokens, the newest first',
    rows: tokens.toReversed(),
    columns: [
      {
        label: 'For',
        kind: 'title',
        cell: (token) =>
          html`${nameOf(token)}<div class="under">made ${timeAgo(token.createdMs, nowMs)}</div>`,
      },
      { label: 'May', cell: (token) => token.scopes.join(', ') },
      {
        label: 'Last used',
        kind: 'figure',
        cell: (token) => (token.usedMs === undefined ? 'never' : timeAgo(token.usedMs, nowMs)),
      },
      { label: 'Ends', kind: 'figure', cell: (token) => endOf(token, nowMs) },
      {
        label: 'Actions',
        kind: 'actions',
        cell: (token) =>
          linkButton({
            label: 'Remove',
            about: nameOf(token),
            href: hrefTo('apiTokenRemove', { id: token.id }),
            small: true,
          }),
      },
    ],
  });
}

function endOf({ expiresMs }: ApiToken, nowMs: number): string | Html {
  if (expiresMs === undefined) return 'not by itself';
  return expiresMs <= nowMs ? badge('warn', 'Expired') : timeUntil(expiresMs, nowMs);
}

function nameOf({ label }: ApiToken): string {
  return label === '' ? 'Without a name' : label;
}
