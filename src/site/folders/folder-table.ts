// A page of a folder's rows and the ways to the pages beside it, for members on a torrent's pages and for
// strangers on a share's: they differ in where the links lead.

import { html } from 'hono/html';
import { bytes } from '#site/components/figures.ts';
import { icon } from '#site/components/icon.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { pager } from '#site/components/pager.ts';
import { type Column, type Sorting, table } from '#site/components/table.ts';
import { formatCount } from '#site/format/number.ts';
import type { FolderOrder, FolderPage, FolderRow } from './folder-rows.ts';

export interface FolderTable {
  readonly page: FolderPage;
  readonly order: FolderOrder;
  readonly sortHref: (by: FolderOrder) => string;
  /** The name, as a link where it leads somewhere. */
  readonly name: (row: FolderRow) => Html;
  readonly more?: readonly Column<FolderRow>[];
}

export function folderTable({ page, order, sortHref, name, more = [] }: FolderTable): Html {
  const sort = (by: FolderOrder, direction: Sorting['direction']): Sorting => ({
    href: sortHref(by),
    ...(order === by && direction !== undefined ? { direction } : {}),
  });
  return table({
    caption: 'Folders and files',
    rows: page.rows,
    columns: [
      {
        label: 'Name',
        kind: 'title',
        sort: sort('name', 'ascending'),
        cell: (row) =>
          html`<span class="tree-line">${icon(row.isFolder ? 'folder' : 'file')}<span class="name">${name(row)}</span></span>`,
      },
      {
        label: 'Files',
        kind: 'figure',
        cell: (row) => (row.isFolder ? formatCount(row.fileCount) : NOTHING),
      },
      {
        label: 'Size',
        kind: 'figure',
        sort: sort('size', 'descending'),
        cell: (row) => bytes(row.sizeBytes),
      },
      ...more,
    ],
  });
}

/** `href` leads to the page after, or before, the row at that position. */
export function folderPager(
  page: FolderPage,
  href: (query: { readonly after?: number } | { readonly before?: number }) => string,
): Html {
  if (!page.hasNext && !page.hasPrevious) return NOTHING;
  const [first, last] = [page.rows[0], page.rows.at(-1)];
  return pager({
    summary: `${formatCount(page.rows.length)} shown at a time`,
    ...(page.hasPrevious && first !== undefined
      ? { previousHref: href({ before: first.position }) }
      : {}),
    ...(page.hasNext && last !== undefined ? { nextHref: href({ after: last.position }) } : {}),
  });
}
