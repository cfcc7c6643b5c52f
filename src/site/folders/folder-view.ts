// The page of one folder of a torrent: the way to it, what lies in it a page at a time, and the way to a
// name in it.

import { html } from 'hono/html';
import type { Torrent } from '#site/catalogue/find-torrent.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { bytes } from '#site/components/figures.ts';
import { textField } from '#site/components/form.ts';
import { icon } from '#site/components/icon.ts';
import { attribute, type Html, NOTHING } from '#site/components/markup.ts';
import { pageHead } from '#site/components/page-head.ts';
import type { Column } from '#site/components/table.ts';
import { formatBytes } from '#site/format/bytes.ts';
import { plural } from '#site/format/number.ts';
import { href, hrefTo } from '#site/routes.ts';
import type { FolderOrder, FolderPage, FolderRow } from './folder-rows.ts';
import { folderPager, folderTable } from './folder-table.ts';

export interface FolderView {
  readonly torrent: Pick<Torrent, 'title' | 'infoHash' | 'fileCount' | 'sizeBytes'>;
  /** The folders that lead here from the top, this one last; none at the top. */
  readonly way: readonly FolderRow[];
  readonly page: FolderPage;
  readonly order: FolderOrder;
  /** Whether the archive has it, and the reader may take it from there. */
  readonly isGiven: boolean;
  readonly mayShare: boolean;
  /** What was looked for; empty when nothing was. */
  readonly name: string;
}

/** Rows as lines, folders leading on; as the torrent's page shows a few. */
export function folderList(infoHash: string, rows: readonly FolderRow[], isGiven: boolean): Html {
  const lines = rows.map((row) => {
    const count = row.isFolder
      ? html` <span class="muted small">${plural(row.fileCount, 'file')}</span>`
      : NOTHING;
    return html`<li><div class="tree-line">${icon(row.isFolder ? 'folder' : 'file')}<span class="name">${nameOf(infoHash, row, { isGiven })}${count}</span>${bytes(row.sizeBytes)}</div></li>`;
  });
  return html`<ul class="tree">${lines}</ul>`;
}

export function folderView(view: FolderView): Html {
  const { torrent, way, page, order } = view;
  const here = way.at(-1);
  const { fileCount, sizeBytes } = here ?? torrent;
  const hash = torrent.infoHash;
  const crumbs = [
    { label: 'Torrents', href: href('torrents') },
    { label: torrent.title, href: hrefTo('torrent', { hash }) },
    ...(here === undefined ? [] : [{ label: 'Files', href: folderHref(hash, undefined, order) }]),
    ...way.slice(0, -1).map((row) => ({
      label: row.name,
      href: folderHref(hash, row.position, order),
    })),
  ];
  const download = linkButton({
    label: html`${icon('down')} Download as tar`,
    href: hrefTo('torrentContent', { hash, entry: here?.position ?? 'all' }),
  });
  const entry = here?.position;
  const shareActions = view.mayShare
    ? [linkButton({ label: 'Share', href: hrefTo('torrentShare', { hash }, { entry }) })]
    : [];
  const head = pageHead({
    title: here?.name ?? 'Files',
    lead: `${plural(fileCount, 'file')}, ${formatBytes(sizeBytes)}`,
    crumbs,
    actions: view.isGiven && page.rows.length > 0 ? [download, ...shareActions] : [],
  });
  const body = page.rows.length === 0 ? nothing(view) : html`${rowsTable(view)}${ways(view)}`;
  return html`${head}${finder(view)}${body}`;
}

/** Takes whoever types a name to where it stands, among a million. */
function finder({ torrent, way, name, page }: FolderView): Html {
  if (name === '' && !page.hasNext && !page.hasPrevious) return NOTHING;
  const here = way.at(-1)?.position;
  const field = textField({ name: 'name', label: 'Go to a name in this folder', value: name });
  const folder =
    here === undefined ? NOTHING : html`<input type="hidden" name="in" value="${here}">`;
  return html`<form class="filters" method="get"${attribute('action', hrefTo('torrentFiles', { hash: torrent.infoHash }))} role="search">${folder}${field}${submitButton({ label: 'Go' })}</form>`;
}

function nothing({ name, way, torrent, order }: FolderView): Html {
  const here = way.at(-1)?.position;
  return emptyState({
    title: 'Nothing lies here',
    text:
      name === '' ? 'The folder has no files.' : `No name in this folder comes after “${name}”.`,
    action: html`<a class="button" href="${folderHref(torrent.infoHash, here, order)}">Show the folder from its beginning</a>`,
    icon: 'folder',
  });
}

function shareColumn(hash: string): Column<FolderRow> {
  return {
    label: 'Actions',
    kind: 'actions',
    cell: ({ position, name }) =>
      linkButton({
        label: 'Share',
        about: name,
        href: hrefTo('torrentShare', { hash }, { entry: position }),
        small: true,
        kind: 'quiet',
      }),
  };
}

function rowsTable({ torrent, way, page, order, isGiven, mayShare }: FolderView): Html {
  const hash = torrent.infoHash;
  return folderTable({
    ...{ page, order },
    sortHref: (by) => folderHref(hash, way.at(-1)?.position, by),
    name: (row) => nameOf(hash, row, { order, isGiven }),
    ...(mayShare ? { more: [shareColumn(hash)] } : {}),
  });
}

function ways({ torrent, way, page, order }: FolderView): Html {
  const here = { in: way.at(-1)?.position, sort: order === 'size' ? 'size' : undefined };
  const hash = torrent.infoHash;
  return folderPager(page, (query) => hrefTo('torrentFiles', { hash }, { ...here, ...query }));
}

function nameOf(
  hash: string,
  row: FolderRow,
  { order = 'name', isGiven }: { readonly order?: FolderOrder; readonly isGiven: boolean },
): Html {
  if (!row.isFolder && !isGiven) return html`${row.name}`;
  if (!row.isFolder) {
    const href = hrefTo('torrentContent', { hash, entry: row.position });
    return html`<a href="${href}">${row.name}</a>`;
  }
  return html`<a href="${folderHref(hash, row.position, order)}">${row.name}</a>`;
}

function folderHref(hash: string, position: number | undefined, order: FolderOrder): string {
  const sort = order === 'size' ? 'size' : undefined;
  return hrefTo('torrentFiles', { hash }, { in: position, sort });
}
