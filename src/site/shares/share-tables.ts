// The tables of shares as Kysely sees them. Times are Unix milliseconds.

import type { Generated } from 'kysely';

export interface ShareTables {
  share: {
    id: Generated<number>;
    /** SHA-256 of the token in the link. */
    token_hash: Uint8Array;
    /** Whose share it is. */
    member_id: number;
    /** What is shared, as it was called. */
    label: string;
    /** Null without a password. */
    password_hash: string | null;
    created_ms: number;
    expires_ms: number;
    revoked_ms: number | null;
    /** Null for as many as there are until it expires. */
    downloads_max: number | null;
    downloads: number;
    sent_bytes: number;
  };
  share_item: {
    share_id: number;
    /** From 0, in the order in which they were put in; by which links name it. */
    place: number;
    torrent_id: number;
    /** Of a file or folder in the torrent's tree; -1 for all of it. */
    position: number;
    label: string;
    /** How many levels of folders below it are shared, 0 for none; null for all. */
    depth: number | null;
    /** When the archive let the torrent go; it stays ended when it is kept again. */
    ended_ms: number | null;
  };
}
