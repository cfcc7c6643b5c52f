// A share as programs get it (docs/shares.md): a page of what lies at a place, with where the rest is.

import { NO_PARENT } from '#site/catalogue/file-entries.ts';
import type { FolderOrder, FolderPage, FolderRow } from '#site/folders/folder-rows.ts';
import { hrefTo } from '#site/routes.ts';
import { isWithin, type Shared, type SharedItem, type Spot, spotName } from './share-places.ts';

export interface SpotPage {
  readonly shared: Shared;
  readonly spot: Spot;
  readonly page: FolderPage;
  readonly order: FolderOrder;
}

type Query = Readonly<Record<string, string | number | undefined>>;

/** The page of a place. */
export function placeHref(shared: Shared, spot: Spot | undefined, query: Query = {}): string {
  const name = spot && spotName(shared, spot);
  return hrefTo(
    'share',
    { token: shared.token },
    { in: name === 'all' ? undefined : name, ...query },
  );
}

/** Its bytes: a file, or a folder as tar. */
export function contentHref(shared: Shared, spot: Spot): string {
  return hrefTo('shareContent', { token: shared.token, entry: spotName(shared, spot) });
}

export function topOf(item: SharedItem): Spot {
  return { ...item, row: item.root };
}

export function itemKind({ root }: SharedItem): 'torrent' | 'folder' | 'file' {
  return root === undefined ? 'torrent' : root.isFolder ? 'folder' : 'file';
}

/** The things that a collection leads to. */
export function collectionJson({ shared }: { readonly shared: Shared }, siteUrl: string): unknown {
  return {
    ...headOf(shared),
    kind: 'collection',
    entries: shared.items.map((item) => ({
      // Names of files and folders, which programs save them by; a torrent is called as it calls itself.
      name: item.root?.name ?? item.torrent.name,
      ...{ title: item.item.label, kind: itemKind(item) },
      sizeBytes: (item.root ?? item.torrent).sizeBytes,
      fileCount: (item.root ?? item.torrent).fileCount,
      page: siteUrl + placeHref(shared, topOf(item)),
      content: siteUrl + contentHref(shared, topOf(item)),
    })),
  };
}

export function spotJson(view: SpotPage, siteUrl: string): unknown {
  const { shared, spot, page, order } = view;
  const { row, torrent } = spot;
  const sort = order === 'size' ? 'size' : undefined;
  return {
    ...headOf(shared),
    ...{ name: row?.name ?? torrent.name, kind: kindAt(spot) },
    ...(row?.isFolder === false ? {} : { tar: siteUrl + contentHref(shared, spot) }),
    entries: page.rows.map((one) => entryJson(view, one, siteUrl)),
    ...(page.hasNext
      ? { next: siteUrl + placeHref(shared, spot, { sort, after: page.rows.at(-1)?.position }) }
      : {}),
  };
}

function kindAt({ row }: Spot): 'torrent' | 'folder' | 'file' {
  if (row === undefined || row.position === NO_PARENT) return 'torrent';
  return row.isFolder ? 'folder' : 'file';
}

function entryJson({ shared, spot }: SpotPage, row: FolderRow, siteUrl: string): unknown {
  const own = { ...spot, row };
  const { name, sizeBytes, fileCount } = row;
  if (!row.isFolder) {
    return { name, kind: 'file', sizeBytes, content: siteUrl + contentHref(shared, own) };
  }
  const folder = { name, kind: 'folder', sizeBytes, fileCount };
  // Deeper than is shared: it is named, and leads nowhere.
  if (!isWithin(spot.item, spot.root, row)) return { ...folder, shared: false };
  return {
    ...folder,
    page: siteUrl + placeHref(shared, own),
    content: siteUrl + contentHref(shared, own),
  };
}

function headOf({ share }: Shared) {
  const { label, expiresMs, downloads, downloadsMax } = share;
  const left =
    downloadsMax === undefined ? {} : { downloadsLeft: Math.max(0, downloadsMax - downloads) };
  return { label, expiresMs, ...left };
}
