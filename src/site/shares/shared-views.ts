// The pages that somebody with a link sees.

import { html } from 'hono/html';
import { linkButton, submitButton } from '#site/components/button.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { bytes, timeUntil } from '#site/components/figures.ts';
import { formActions, postForm, textField } from '#site/components/form.ts';
import { icon } from '#site/components/icon.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { notice } from '#site/components/notice.ts';
import { pageHead } from '#site/components/page-head.ts';
import { table } from '#site/components/table.ts';
import type { FolderRow } from '#site/folders/folder-rows.ts';
import { folderPager, folderTable } from '#site/folders/folder-table.ts';
import { formatBytes } from '#site/format/bytes.ts';
import { formatCount, plural } from '#site/format/number.ts';
import { gallery, type ShownPreviews } from '#site/previews/preview-pages.ts';
import { hrefTo } from '#site/routes.ts';
import { isCollection, isWithin, type Shared, type SharedItem, spotName } from './share-places.ts';
import { contentHref, itemKind, placeHref, type SpotPage, topOf } from './shared-json.ts';
import { stateOf } from './shares.ts';

export interface SpotView extends SpotPage {
  /** From what is shared down to here; empty where all of a torrent is and this is its top. */
  readonly way: readonly FolderRow[];
  readonly previews: ShownPreviews;
  readonly nowMs: number;
}

const KIND_WORDS = { torrent: 'Torrent', folder: 'Folder', file: 'File' } as const;

/** The things that a collection leads to. */
export function collectionMain(view: { readonly shared: Shared; readonly nowMs: number }): Html {
  const { shared, nowMs } = view;
  const isOpen = stateOf(shared.share, nowMs) === 'open';
  const head = pageHead({
    title: shared.share.label,
    lead: html`${plural(shared.items.length, 'thing')} shared with you. ${endWords(view)}`,
  });
  const name = (item: SharedItem): Html => {
    const isFile = item.root?.isFolder === false;
    const line = html`${icon(isFile ? 'file' : 'folder')}<span class="name"><a href="${placeHref(shared, topOf(item))}">${item.item.label}</a></span>`;
    return html`<span class="tree-line">${line}</span>`;
  };
  const list = table({
    caption: 'What is shared',
    rows: shared.items,
    columns: [
      { label: 'Name', kind: 'title', cell: name },
      { label: 'What', cell: (item) => KIND_WORDS[itemKind(item)] },
      {
        label: 'Files',
        kind: 'figure',
        cell: (item) => formatCount((item.root ?? item.torrent).fileCount),
      },
      {
        label: 'Size',
        kind: 'figure',
        cell: (item) => bytes((item.root ?? item.torrent).sizeBytes),
      },
    ],
  });
  return html`${head}${overNotice(isOpen)}${list}`;
}

export function spotMain(view: SpotView): Html {
  const { shared, spot, page, way, nowMs } = view;
  const { row, torrent, item } = spot;
  const isOpen = stateOf(shared.share, nowMs) === 'open';
  const isFile = row?.isFolder === false;
  const { sizeBytes, fileCount } = row ?? torrent;
  const label = isFile ? 'Download' : 'Download as tar';
  const shown =
    isFile || item.depth === undefined
      ? `${plural(fileCount, 'file')}, ${formatBytes(sizeBytes)}.`
      : 'Not all of what lies deeper is shared.';
  const head = pageHead({
    title: way.at(-1)?.name ?? item.label,
    lead: html`${shown} ${endWords(view)}`,
    crumbs: crumbsOf(view),
    actions: isOpen
      ? linkButton({
          label: html`${icon('down')} ${label}`,
          href: contentHref(shared, spot),
          kind: 'primary',
        })
      : [],
  });
  const pictures = picturesOf(view, isOpen);
  if (isFile) return html`${head}${overNotice(isOpen)}${pictures}`;
  if (page.rows.length === 0) {
    const empty = emptyState({ title: 'Nothing lies here', text: 'The folder has no files.' });
    return html`${head}${overNotice(isOpen)}${empty}`;
  }
  const list = html`${rowsTable(view, isOpen)}${ways(view)}`;
  return html`${head}${overNotice(isOpen)}<div class="stack">${pictures}<div>${list}</div></div>`;
}

function crumbsOf({ shared, spot, way, order }: SpotView) {
  const sort = order === 'size' ? 'size' : undefined;
  const whole = isCollection(shared)
    ? [{ label: shared.share.label, href: placeHref(shared, undefined) }]
    : [];
  const isBelowTorrent = spot.root === undefined && way.length > 0;
  const top = isBelowTorrent
    ? [{ label: spot.item.label, href: placeHref(shared, { ...spot, row: undefined }, { sort }) }]
    : [];
  const above = way.slice(0, -1).map((row) => ({
    label: row.name,
    href: placeHref(shared, { ...spot, row }, { sort }),
  }));
  return [...whole, ...top, ...above];
}

function picturesOf({ shared, spot, previews }: SpotView, isOpen: boolean): Html {
  const entryOf = (position: number): string =>
    spotName(shared, { ...spot, row: { position } as FolderRow });
  const { token } = shared;
  return gallery(previews, {
    preview: (position) => hrefTo('sharePreview', { token, entry: entryOf(position) }),
    file: (position) =>
      isOpen ? hrefTo('shareContent', { token, entry: entryOf(position) }) : undefined,
  });
}

function overNotice(isOpen: boolean): Html {
  if (isOpen) return NOTHING;
  return html`<div class="flashes">${notice('warn', 'This link was used as often as it may be. Ask whoever sent it for another one.')}</div>`;
}

function endWords(view: { readonly shared: Shared; readonly nowMs: number }): Html {
  const { share } = view.shared;
  const { downloads, downloadsMax, expiresMs } = share;
  const left =
    downloadsMax === undefined
      ? ''
      : `, or after ${plural(Math.max(0, downloadsMax - downloads), 'more download')}`;
  return html`This link ends ${timeUntil(expiresMs, view.nowMs)}${left}.`;
}

function rowsTable(view: SpotView, isOpen: boolean): Html {
  const { shared, spot, page, order } = view;
  const name = (row: FolderRow): Html => {
    const own = { ...spot, row };
    if (row.isFolder && !isWithin(spot.item, spot.root, row)) {
      return html`${row.name} <span class="muted small">not shared</span>`;
    }
    const sort = order === 'size' ? 'size' : undefined;
    if (row.isFolder) return html`<a href="${placeHref(shared, own, { sort })}">${row.name}</a>`;
    if (!isOpen) return html`${row.name}`;
    return html`<a href="${contentHref(shared, own)}">${row.name}</a>`;
  };
  return folderTable({
    ...{ page, order, name },
    sortHref: (by) => placeHref(shared, spot, { sort: by === 'size' ? 'size' : undefined }),
  });
}

function ways({ shared, spot, page, order }: SpotView): Html {
  const sort = order === 'size' ? 'size' : undefined;
  return folderPager(page, (query) => placeHref(shared, spot, { sort, ...query }));
}

export function unlockMain(view: {
  readonly token: string;
  readonly csrf: string;
  readonly error: string | undefined;
}): Html {
  const { token, csrf, error } = view;
  const body = html`${textField({
    name: 'password',
    label: 'Password',
    type: 'password',
    autocomplete: 'off',
    required: true,
    error,
  })}${formActions(submitButton({ label: 'Open', kind: 'primary' }))}`;
  const head = pageHead({
    title: 'A password is wanted',
    lead: 'Whoever sent you this link has it.',
  });
  const form = postForm({ action: hrefTo('share', { token }), csrf, body });
  return html`<div class="narrow stack">${head}${form}</div>`;
}
