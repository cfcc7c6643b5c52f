// The lists of shares, in which they are ended: a member's own, and everybody's for the staff.

import { html } from 'hono/html';
import { badge } from '#site/components/badge.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { bytes, timeAgo, timeUntil } from '#site/components/figures.ts';
import { postForm } from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { pageHead } from '#site/components/page-head.ts';
import { pager } from '#site/components/pager.ts';
import { type Column, table } from '#site/components/table.ts';
import { formatBytes } from '#site/format/bytes.ts';
import { formatCount, plural } from '#site/format/number.ts';
import { href, hrefTo } from '#site/routes.ts';
import type { ListedItem } from './share-items.ts';
import { type ListedShare, listedState, type ShareState } from './shares.ts';

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
  'let-go': badge('plain', 'Let go'),
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
    const look = isOwn
      ? { action: linkButton({ label: 'Look at torrents', href: href('torrents') }) }
      : {};
    return html`${head}${emptyState({ title: 'No shares yet', text, icon: 'people', ...look })}`;
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
  const member: Column<ListedShare> = {
    label: 'Member',
    cell: (share) =>
      html`<a href="${hrefTo('member', { name: share.member })}">${share.member}</a>`,
  };
  return [
    { label: 'Share', kind: 'title', cell: nameOf },
    { label: 'Leads to', cell: whatOf },
    ...(isOwn ? [] : [member]),
    { label: 'State', cell: (share) => STATES[listedState(share, nowMs)] },
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

const ITEMS_SHOWN_MAX = 3;

/** With its number, by which the command line names it. */
function nameOf({ id, label, passwordHash }: ListedShare): Html {
  const lock = passwordHash === undefined ? NOTHING : html` ${badge('plain', 'Password')}`;
  return html`${label}${lock} <span class="small muted">share ${id}</span>`;
}

/** What each thing in it is: many have the same name. */
function whatOf({ items }: ListedShare): Html {
  const lines = items.slice(0, ITEMS_SHOWN_MAX).map(itemLine);
  const rest = items.length - lines.length;
  const more = rest > 0 ? html`<div>and ${formatCount(rest)} more</div>` : NOTHING;
  return html`<div class="small">${lines}${more}</div>`;
}

function itemLine(item: ListedItem): Html {
  const { kind, path, torrentTitle, infoHash, fileCount, sizeBytes, depth, isOpen } = item;
  const torrent = html`<a href="${hrefTo('torrent', { hash: infoHash })}">${torrentTitle}</a>`;
  const size = formatBytes(sizeBytes);
  const words = {
    torrent: html`Torrent ${torrent}, ${plural(fileCount, 'file')}, ${size}`,
    folder: html`Folder ${path} of ${torrent}, ${plural(fileCount, 'file')}, ${size}`,
    file: html`File ${path} of ${torrent}, ${size}`,
  }[kind];
  const only = depth === undefined || kind === 'file' ? '' : `, ${depthWords(depth)}`;
  const gone = isOpen ? '' : '; the archive let it go';
  return html`<div>${words}${only}${gone}</div>`;
}

function depthWords(depth: number): string {
  return depth === 0 ? 'only the files right in it' : `${plural(depth, 'level')} deep`;
}
