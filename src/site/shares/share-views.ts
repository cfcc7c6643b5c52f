// The pages on which members make and end shares, and the staff's list of them.

import { html } from 'hono/html';
import { toHex } from '#base/bytes.ts';
import type { Errors } from '#site/accounts/entry-views.ts';
import type { Torrent } from '#site/catalogue/find-torrent.ts';
import { badge } from '#site/components/badge.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { bytes, timeAgo, timeUntil } from '#site/components/figures.ts';
import { errorSummary, formActions, postForm, textField } from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { notice } from '#site/components/notice.ts';
import { pageHead } from '#site/components/page-head.ts';
import { pager } from '#site/components/pager.ts';
import { secret } from '#site/components/secret.ts';
import { type Column, table } from '#site/components/table.ts';
import type { FolderRow } from '#site/folders/folder-rows.ts';
import { formatBytes } from '#site/format/bytes.ts';
import { formatCount, plural } from '#site/format/number.ts';
import { href, hrefTo } from '#site/routes.ts';
import { type ListedShare, SHARE_LIMITS, type ShareState, stateOf } from './shares.ts';

export interface ShareForm {
  readonly days: string;
  readonly downloads: string;
}

export interface NewShareView {
  readonly csrf: string;
  readonly torrent: Torrent;
  readonly row: FolderRow | undefined;
  readonly values: ShareForm;
  readonly daysMax: number;
  readonly errors: Errors;
}

export function newShareMain(view: NewShareView): Html {
  const { csrf, torrent, row, values, daysMax, errors } = view;
  const { fileCount, sizeBytes } = row ?? torrent;
  const hash = torrent.infoHash;
  const isFile = row?.isFolder === false;
  const what = isFile ? 'file' : row === undefined ? 'torrent' : 'folder';
  const head = pageHead({
    title: `Share “${row?.name ?? torrent.title}”`,
    lead: `A link by which people without an account see and download this ${what} from the archive: ${plural(fileCount, 'file')}, ${formatBytes(sizeBytes)}.`,
    crumbs: [
      { label: 'Torrents', href: href('torrents') },
      { label: torrent.title, href: hrefTo('torrent', { hash }) },
    ],
  });
  const entry =
    row === undefined ? NOTHING : html`<input type="hidden" name="entry" value="${row.position}">`;
  const body = html`${entry}${textField({
    name: 'days',
    label: 'Days until it ends',
    hint: `1 to ${daysMax}. You can revoke it before; downloads that run end then, too.`,
    type: 'number',
    value: values.days,
    required: true,
    error: errors['days'],
  })}${textField({
    name: 'downloads',
    label: 'Downloads at most',
    hint: 'Empty for as many as there are. With a number, each file or tar counts one, and none can be resumed.',
    type: 'number',
    value: values.downloads,
    error: errors['downloads'],
  })}${textField({
    name: 'password',
    label: 'Password',
    hint: 'Empty for none. Send it another way than the link.',
    type: 'password',
    autocomplete: 'new-password',
    lengthMax: SHARE_LIMITS.passwordCharsMax,
    error: errors['password'],
  })}${formActions(
    submitButton({ label: 'Make the link', kind: 'primary' }),
    linkButton({ label: 'Cancel', href: hrefTo('torrent', { hash }), kind: 'quiet' }),
  )}`;
  const form = postForm({ action: hrefTo('torrentShare', { hash }), csrf, body });
  return html`<div class="medium stack">${head}${errorSummary(errors)}${form}</div>`;
}

export function shareMadeMain(view: {
  readonly url: string;
  readonly path: string;
  readonly torrent: Torrent;
}): Html {
  const { url, path, torrent } = view;
  const made = notice(
    'good',
    html`<strong>The link is ready</strong><p>Whoever has it sees and takes what you share. It is not shown again.</p>${secret(url)}`,
  );
  const ways = html`<div class="row">${linkButton({ label: 'See it as they do', href: path })}${linkButton({ label: 'My shares', href: href('shares') })}${linkButton({ label: 'Back to the torrent', href: hrefTo('torrent', { hash: torrent.infoHash }), kind: 'quiet' })}</div>`;
  return html`<div class="medium stack">${pageHead({ title: 'Shared' })}${made}${ways}</div>`;
}

export interface SharesView {
  readonly shares: readonly ListedShare[];
  readonly csrf: string;
  readonly nowMs: number;
  /** The reader's own; else everybody's, for staff. */
  readonly isOwn: boolean;
  readonly nextHref?: string;
}

const STATES: Readonly<Record<ShareState, Html>> = {
  open: badge('good', 'Open'),
  'used-up': badge('plain', 'Used up'),
  revoked: badge('plain', 'Revoked'),
  expired: badge('plain', 'Over'),
};

export function sharesMain(view: SharesView): Html {
  const { shares, isOwn, nextHref } = view;
  const head = pageHead({
    title: 'Shares',
    lead: isOwn
      ? 'Links by which people without an account take what you chose from the archive.'
      : 'Links that members made for people without an account.',
  });
  if (shares.length === 0) {
    const text = isOwn
      ? 'The page of a torrent that the archive keeps has “Share”.'
      : 'No member has made one.';
    return html`${head}${emptyState({ title: 'No shares yet', text, icon: 'people' })}`;
  }
  const list = table({ caption: 'Shares', rows: shares, columns: columnsOf(view), isWide: true });
  const more =
    nextHref === undefined
      ? NOTHING
      : pager({ nextHref, summary: `${formatCount(shares.length)} shown at a time` });
  return html`${head}${list}${more}`;
}

function columnsOf({ csrf, nowMs, isOwn }: SharesView): readonly Column<ListedShare>[] {
  const route = isOwn ? 'shareRevoke' : 'consoleShareRevoke';
  const what = ({ infoHash, label, passwordHash }: ListedShare): Html => {
    const lock = passwordHash === undefined ? NOTHING : html` ${badge('plain', 'Password')}`;
    if (infoHash === undefined) return html`${label}${lock}`;
    return html`<a href="${hrefTo('torrent', { hash: toHex(infoHash) })}">${label}</a>${lock}`;
  };
  const member: Column<ListedShare> = {
    label: 'Member',
    cell: (share) =>
      html`<a href="${hrefTo('member', { name: share.member })}">${share.member}</a>`,
  };
  return [
    { label: 'What', kind: 'title', cell: what },
    ...(isOwn ? [] : [member]),
    { label: 'State', cell: (share) => STATES[stateOf(share, nowMs)] },
    { label: 'Made', kind: 'figure', cell: (share) => timeAgo(share.createdMs, nowMs) },
    {
      label: 'Ends',
      kind: 'figure',
      cell: ({ expiresMs }) =>
        expiresMs > nowMs ? timeUntil(expiresMs, nowMs) : timeAgo(expiresMs, nowMs),
    },
    {
      label: 'Downloads',
      kind: 'figure',
      cell: ({ downloads, downloadsMax }) =>
        downloadsMax === undefined
          ? formatCount(downloads)
          : `${formatCount(downloads)} of ${formatCount(downloadsMax)}`,
    },
    { label: 'Given', kind: 'figure', cell: (share) => bytes(share.sentBytes) },
    {
      label: 'Actions',
      kind: 'actions',
      cell: (share) =>
        share.revokedMs !== undefined || share.expiresMs <= nowMs
          ? NOTHING
          : postForm({
              action: hrefTo(route, { id: share.id }),
              csrf,
              inline: true,
              body: submitButton({ label: 'Revoke', about: share.label, small: true }),
            }),
    },
  ];
}
