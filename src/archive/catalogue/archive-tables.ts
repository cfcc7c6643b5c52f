// The archive's tables as Kysely sees them. Times are Unix milliseconds; see
// migrations/0610-archive.ts for keys and indexes.

import type { Generated } from 'kysely';

export interface ArchiveTables {
  archive_file: {
    id: Generated<number>;
    /** The pieces root of BEP 52, 32 bytes: the file's identity. */
    root: Uint8Array;
    size_bytes: number;
    /** The blob of its map (content/file-map.ts). */
    map_ref: string;
    stored_ms: number;
    /** When its segments were last proven, all of them. */
    checked_ms: number;
  };
  /** A segment that is not there or is not what it was; gone when it is healed. */
  archive_damage: {
    file_id: number;
    /** From 0. */
    segment: number;
    kind: 'missing' | 'corrupt';
    found_ms: number;
  };
  /** The bytes of a file's map once more, for when its blob is lost. */
  archive_map: {
    file_id: number;
    map_bytes: Uint8Array;
  };
  /** Torrents that the archive keeps: all of their files are stored. */
  archive_torrent: {
    torrent_id: number;
    kept_ms: number;
  };
  /** A kept torrent's files in its order, pad files left out. */
  archive_entry: {
    torrent_id: number;
    /** From 0. */
    position: number;
    /** Null for an empty file. */
    file_id: number | null;
  };
  /** Torrents that shall be kept; gone when they are, or not wanted any more. */
  archive_wanted: {
    torrent_id: number;
    wanted_ms: number;
    /** Why it cannot be taken; empty while it can. */
    problem: string;
  };
  /** Web seeds of others, from which a wanted torrent may be taken; gone with the wish. */
  archive_source: {
    torrent_id: number;
    url: string;
  };
  /** Files of wanted torrents that are stored; as `archive_entry`. */
  archive_taken: {
    torrent_id: number;
    position: number;
    file_id: number | null;
  };
  /** Bytes that members took from the web seed (web-seed/seed-traffic.ts). */
  archive_traffic: {
    member_id: number;
    torrent_id: number;
    seed_bytes: number;
  };
}
