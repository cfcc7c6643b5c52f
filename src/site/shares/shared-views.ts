// The pages that somebody with a link sees.

import { html } from 'hono/html';
import { linkButton, submitButton } from '#site/components/button.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { timeUntil } from '#site/components/figures.ts';
import { formActions, postForm, textField } from '#site/components/form.ts';
import { icon } from '#site/components/icon.ts';
import type { Html } from '#site/components/markup.ts';
import { NOTHING } from '#site/components/markup.ts';
import { notice } from '#site/components/notice.ts';
import { pageHead } from '#site/components/page-head.ts';
import type { FolderOrder, FolderPage, FolderRow } from '#site/folders/folder-rows.ts';
import { folderPager, folderTable } from '#site/folders/folder-table.ts';
import { formatBytes } from '#site/format/bytes.ts';
import { plural } from '#site/format/number.ts';
import { hrefTo } from '#site/routes.ts';
import { isLeft, type Shared } from './shared-content.ts';

export interface SharedView {
  readonly shared: Shared;
  readonly page: FolderPage;
  readonly order: FolderOrder;
  /** From what is shared down to here; empty where all of a torrent is and this is its top. */
  readonly way: readonly FolderRow[];
  readonly nowMs: number;
}

export function sharedMain(view: SharedView): Html {
  const { shared, page, way, nowMs } = view;
  const { share, token, torrent } = shared;
  const here = way.at(-1);
  const { sizeBytes, fileCount } = here ?? torrent;
  const isOpen = isLeft(shared, nowMs);
  const isFile = here?.isFolder === false;
  const above = way.slice(0, -1);
  const entry = here?.position ?? 'all';
  const label = isFile ? 'Download' : 'Download all as tar';
  const head = pageHead({
    title: here?.name ?? share.label,
    lead: html`${plural(fileCount, 'file')}, ${formatBytes(sizeBytes)}. This link ends ${timeUntil(share.expiresMs, nowMs)}${leftWords(shared)}.`,
    crumbs: [
      ...(shared.root === undefined && here !== undefined
        ? [{ label: share.label, href: pageHref(view, undefined) }]
        : []),
      ...above.map((row) => ({ label: row.name, href: pageHref(view, row) })),
    ],
    actions: isOpen
      ? linkButton({
          label: html`${icon('down')} ${label}`,
          href: hrefTo('shareContent', { token, entry }),
          kind: 'primary',
        })
      : [],
  });
  const over = isOpen
    ? NOTHING
    : html`<div class="flashes">${notice('warn', 'This link was used as often as it may be. Ask whoever sent it for another one.')}</div>`;
  if (isFile) return html`${head}${over}`;
  if (page.rows.length === 0) {
    const empty = emptyState({ title: 'Nothing lies here', text: 'The folder has no files.' });
    return html`${head}${over}${empty}`;
  }
  return html`${head}${over}${rowsTable(view, isOpen)}${ways(view)}`;
}

function leftWords({ share }: Shared): string {
  const { downloads, downloadsMax } = share;
  if (downloadsMax === undefined) return '';
  return `, or after ${plural(Math.max(0, downloadsMax - downloads), 'more download')}`;
}

function rowsTable(view: SharedView, isOpen: boolean): Html {
  const { shared, page, order } = view;
  const { token } = shared;
  const here = view.way.at(-1);
  const name = (row: FolderRow): Html => {
    if (row.isFolder) return html`<a href="${pageHref(view, row)}">${row.name}</a>`;
    if (!isOpen) return html`${row.name}`;
    return html`<a href="${hrefTo('shareContent', { token, entry: row.position })}">${row.name}</a>`;
  };
  return folderTable({
    ...{ page, order, name },
    sortHref: (by) => pageHref(view, here, { sort: by === 'size' ? 'size' : undefined }),
  });
}

function ways(view: SharedView): Html {
  const here = view.way.at(-1);
  return folderPager(view.page, (query) => pageHref(view, here, query));
}

type Query = Readonly<Record<string, string | number | undefined>>;

function pageHref({ shared, order }: SharedView, row: FolderRow | undefined, query: Query = {}) {
  const isRoot = row === undefined || row.position === shared.root?.position;
  const sort = order === 'size' ? 'size' : undefined;
  const all = { in: isRoot ? undefined : row.position, sort, ...query };
  return hrefTo('share', { token: shared.token }, all);
}

/** What programs get: one page, with where the next one is. */
export function sharedJson(view: SharedView, siteUrl: string): unknown {
  const { shared, page } = view;
  const { share, token } = shared;
  const here = view.way.at(-1);
  const content = (entry: number | 'all'): string =>
    siteUrl + hrefTo('shareContent', { token, entry });
  return {
    label: share.label,
    expiresMs: share.expiresMs,
    ...(share.downloadsMax === undefined
      ? {}
      : { downloadsLeft: Math.max(0, share.downloadsMax - share.downloads) }),
    tar: content(here?.position ?? 'all'),
    entries: page.rows.map((row) => ({
      name: row.name,
      kind: row.isFolder ? 'folder' : 'file',
      sizeBytes: row.sizeBytes,
      ...(row.isFolder ? { fileCount: row.fileCount, page: siteUrl + pageHref(view, row) } : {}),
      content: content(row.position),
    })),
    ...(page.hasNext
      ? { next: siteUrl + pageHref(view, here, { after: page.rows.at(-1)?.position }) }
      : {}),
  };
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
