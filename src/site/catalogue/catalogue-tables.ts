// The catalogue's tables as Kysely sees them. Times are Unix milliseconds; see
// migrations/0300-catalogue.ts for keys and indexes.

import type { Generated } from 'kysely';

export interface TorrentTable {
  id: Generated<number>;
  /** 20 bytes; null in a torrent of v2 only. */
  info_hash_v1: Uint8Array | null;
  /** All 32 bytes; null in a torrent of v1 only. */
  info_hash_v2: Uint8Array | null;
  /** What content-key.ts makes of the content, to find the same content under another hash. */
  content_v1: Uint8Array | null;
  content_v2: Uint8Array | null;
  /** As in the info dictionary: the file's or the folder's name. */
  name: string;
  title: string;
  /** The title as it is sorted; see `sortKey`. */
  title_key: string;
  /** Markdown. */
  description: string;
  category_id: number;
  uploader_id: number;
  source: string;
  /** What was changed in the uploaded file and why, a sentence a line; empty when nothing was. */
  upload_notes: string;
  piece_length: number;
  size_bytes: number;
  file_count: number;
  /** Counts of the swarm as last saved, for sorting only. Pages show live ones. */
  seeders: number;
  leechers: number;
  completed: number;
  created_ms: number;
  changed_ms: number;
  removed_ms: number | null;
  removed_by: number | null;
  removed_reason: string;
  /** The torrent that took its place; null while it has none. */
  replaced_by: number | null;
  /** 1 when taking it asks for nothing in return. */
  is_exempt: Generated<number>;
}

export interface CatalogueTables {
  category: { id: Generated<number>; slug: string; name: string; position: number };
  torrent: TorrentTable;
  torrent_file: { torrent_id: number; bytes: Uint8Array };
  /** Folders and files in the order of a tree: a folder stands before what is in it. */
  torrent_entry: {
    torrent_id: number;
    position: number;
    /** Names joined by `/`; a folder's ends with `/`. */
    path: string;
    /** Files in the folder, at any depth; 1 for a file. */
    file_count: number;
    size_bytes: number;
    /** Position of the folder it lies in; -1 at the top. */
    parent: number;
    /** `nameKey` of its last name. */
    name_key: number;
  };
  tag: {
    id: Generated<number>;
    name: string;
    /** That have it and are not removed. */
    torrents: Generated<number>;
  };
  torrent_tag: { torrent_id: number; tag_id: number };
  /** For each term and block the torrents that have it, as `IdBlock.bytes` says. */
  search_posting: { block: number; term: string; ids: Uint8Array };
  upload_draft: {
    id: string;
    member_id: number;
    bytes: Uint8Array;
    size_bytes: number;
    created_ms: number;
  };
}
