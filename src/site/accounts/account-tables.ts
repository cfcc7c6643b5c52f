// The tables of migrations/0200-accounts.ts as Kysely sees them. Times are Unix milliseconds.

import type { Generated } from 'kysely';

export interface MemberTable {
  id: Generated<number>;
  /** As the member writes it. A removed member is called `removed-<id>`. */
  name: string;
  /** The name in lower case: no two members may differ in case alone. */
  name_key: string;
  role: string;
  state: string;
  /** Why a member is banned, in words that their client shows. */
  reason: string;
  /** When a ban ends by itself; null when somebody has to end it, and while there is none. */
  banned_until_ms: Generated<number | null>;
  /** A PHC string; null when nobody can sign in with a password. */
  password_hash: string | null;
  invited_by: number | null;
  created_ms: number;
  /** Last visit, to about five minutes. */
  seen_ms: number | null;
  /** 0 while a rule keeps the member from taking more. */
  may_leech: Generated<number>;
  /** 1 while addresses of theirs are written nowhere. */
  is_protected: Generated<number>;
  /** When everything personal was removed; null while the account is there. */
  erased_ms: Generated<number | null>;
}

export interface MemberKeyTable {
  passkey: string;
  member_id: number;
  created_ms: number;
}

export interface DownloadKeyTable {
  id: Generated<number>;
  key: string;
  member_id: number;
  torrent_id: number;
  created_ms: number;
  /** Unix milliseconds; null while it is good. Of those a member has one per torrent. */
  revoked_ms: number | null;
}

export interface SessionTable {
  id: Generated<number>;
  member_id: number;
  /** SHA-256 of the cookie's token. */
  token_hash: Uint8Array;
  created_ms: number;
  seen_ms: number;
  expires_ms: number;
  address: string;
  /** The browser's own description, cut. */
  device: string;
}

export interface InviteTable {
  id: Generated<number>;
  member_id: number;
  /** SHA-256 of the code. */
  code_hash: Uint8Array;
  note: string;
  created_ms: number;
  expires_ms: number;
  used_by: number | null;
  used_ms: number | null;
  revoked_ms: number | null;
}

export interface SettingTable {
  name: string;
  /** JSON. */
  value: string;
}

export interface AccountTables {
  member: MemberTable;
  member_key: MemberKeyTable;
  download_key: DownloadKeyTable;
  session: SessionTable;
  invite: InviteTable;
  setting: SettingTable;
}
