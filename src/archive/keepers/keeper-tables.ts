// The tables of keepers as Kysely sees them; migrations/0682-keepers.ts makes them. Times are Unix
// milliseconds.

import type { Generated } from 'kysely';

export interface KeeperTables {
  /** Who holds copies: a member with a program, or another server. */
  archive_keeper: {
    id: Generated<number>;
    name: string;
    /** Whose; 0 for another server, which gets no credit. */
    member_id: number;
    /** SHA-256 of what it proves itself by. */
    token_hash: Uint8Array;
    /** What its copies are encrypted with (sealing.ts); null when they are plain. */
    seal_key: Uint8Array | null;
    /** What it may be given at most, and what it last said it has room for. */
    bytes_max: number;
    offered_bytes: number;
    created_ms: number;
    /** When it last asked for work; 0 before the first time. */
    seen_ms: number;
  };
  /** A kept file that a keeper holds, or shall. */
  archive_copy: {
    id: Generated<number>;
    keeper_id: number;
    /** Of the file (BEP 52): its row may be made anew. */
    root: Uint8Array;
    size_bytes: number;
    /**
     * `wanted`: to be fetched; `held`: it says it has all of it; `failed`: it could not prove that;
     * `dropped`: not needed any more, and not confirmed yet.
     */
    state: 'wanted' | 'held' | 'failed' | 'dropped';
    since_ms: number;
    /** When it was last proven, or said to be held; 0 before. */
    proven_ms: number;
    /** The next challenge. */
    due_ms: number;
    proofs: number;
    /** Thousandths of a point granted for it, which a failure takes back. */
    earned: number;
    /** Why it failed. */
    reason: string;
  };
  /** What a keeper must answer; one for each copy at most. */
  archive_challenge: {
    copy_id: number;
    /** Of the blob in the copy: 0 is the map, then the segments. */
    number: number;
    range_start: number;
    range_end: number;
    /** 32 bytes. */
    nonce: Uint8Array;
    asked_ms: number;
  };
}
