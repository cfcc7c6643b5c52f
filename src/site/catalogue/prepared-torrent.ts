// An uploaded .torrent file on its way into the catalogue: checked, with private flag and source set,
// compared with what is there. The preview and the upload itself both come through here, so that what
// is shown is what is saved.

import { assert } from '#base/assert.ts';
import { Refusal } from '#site/refusal.ts';
import { type Metainfo, parseMetainfo } from '#wire/metainfo.ts';
import { rewriteTorrent } from '#wire/metainfo-rewrite.ts';
import type { CatalogueConfig } from './catalogue-config.ts';
import { type ContentKeys, contentKeys } from './content-key.ts';
import { type FileEntry, FOLDERS_MAX, fileEntries } from './file-entries.ts';
import type { Catalogue } from './search-index.ts';
import { type Suggestions, suggest, uploadWarnings } from './suggestions.ts';
import { cleanTitle, WORDS_LIMITS } from './torrent-words.ts';

export interface Duplicate {
  readonly kind: 'duplicate';
  readonly existing: { readonly id: number; readonly title: string };
  /** `content`: the hash differs, the files are the same. */
  readonly by: 'hash' | 'content';
}

/** A .torrent file as it would be saved. */
export interface PreparedTorrent {
  readonly metainfo: Omit<Metainfo, 'files' | 'pieces' | 'pieceLayers'>;
  /** Without pad files. */
  readonly fileCount: number;
  readonly suggestions: Suggestions;
  /** What the uploader should know before saving, in sentences. */
  readonly warnings: readonly string[];
  readonly bytes: Uint8Array;
  readonly hashChanged: boolean;
  readonly notes: readonly string[];
  readonly entries: readonly FileEntry[];
  readonly keys: ContentKeys;
}

/** Checks the file and sets private flag and source. Pure: asks no database. */
export function prepareTorrent(
  config: Pick<CatalogueConfig, 'torrentBytesMax' | 'torrentSource'>,
  bytes: Uint8Array,
): PreparedTorrent | Refusal {
  const limit = config.torrentBytesMax;
  if (bytes.byteLength > limit) {
    return refuseFile(`The file is larger than ${limit} bytes, the largest accepted here.`);
  }
  const edits = { announceTiers: [], private: true, source: config.torrentSource } as const;
  const rewritten = rewriteTorrent(bytes, edits);
  if (!rewritten.ok) return refuseFile(rewritten.reason);
  // Only what will be saved is taken apart: a file of fifty thousand names takes hundreds of
  // megabytes for a moment.
  const parsed = parseMetainfo(rewritten.bytes);
  if (!parsed.ok) return refuseFile(parsed.reason);
  assert(parsed.metainfo.private, 'a rewritten torrent is private');
  const entries = fileEntries(parsed.metainfo);
  if (entries === undefined) {
    return refuseFile(`It has more than ${FOLDERS_MAX} folders, and more folders than files.`);
  }
  const { hashChanged, notes, dropped } = rewritten;
  const keys = contentKeys(parsed.metainfo);
  // What is as long as the file is left behind: this may cross to another thread.
  const { files, pieces: _, pieceLayers: __, ...metainfo } = parsed.metainfo;
  return {
    metainfo,
    fileCount: files.filter((file) => !file.pad).length,
    suggestions: suggest(parsed.metainfo),
    warnings: uploadWarnings(parsed.metainfo, dropped),
    bytes: rewritten.bytes,
    hashChanged,
    notes,
    entries,
    keys,
  };
}

/** The torrent that would refuse this one, if there is one; the one that it replaces may have its content. */
export async function findDuplicate(
  catalogue: Catalogue,
  prepared: PreparedTorrent,
  replacedId = 0,
): Promise<Duplicate | undefined> {
  const { metainfo, keys } = prepared;
  const conditions = [
    ['info_hash_v1', metainfo.infoHashV1],
    ['info_hash_v2', metainfo.infoHashV2],
    ['content_v1', keys.v1],
    ['content_v2', keys.v2],
  ] as const;
  for (const [column, value] of conditions) {
    if (value === undefined) continue;
    const by = column.startsWith('info') ? 'hash' : 'content';
    const existing = await catalogue
      .selectFrom('torrent')
      .select(['id', 'title'])
      .where(column, '=', value)
      .where('removed_ms', 'is', null)
      .where('id', '<>', by === 'hash' ? 0 : replacedId)
      .executeTakeFirst();
    if (existing !== undefined) return { kind: 'duplicate', existing, by };
  }
  return undefined;
}

/** A title for people: without the ending of a single file, blanks for underscores. */
export function titleOf(metainfo: Pick<Metainfo, 'name' | 'singleFile'>): string {
  const name = metainfo.singleFile
    ? metainfo.name.replace(/\.[A-Za-z0-9]{1,5}$/, '')
    : metainfo.name;
  const title = cleanTitle(name.includes(' ') ? name : name.replaceAll('_', ' '));
  return title.slice(0, WORDS_LIMITS.titleCharsMax).toWellFormed() || metainfo.name;
}

function refuseFile(reason: string): Refusal {
  return new Refusal('torrent-invalid', reason, 'file');
}
