// The tables of migrations/0742-moderation.ts as Kysely sees them. Times are Unix milliseconds.

import type { Generated } from 'kysely';

export interface ModerationTables {
  warning: {
    id: Generated<number>;
    member_id: number;
    reason: string;
    given_by: number;
    given_ms: number;
    expires_ms: number;
    withdrawn_ms: number | null;
  };
  member_note: {
    id: Generated<number>;
    member_id: number;
    text: string;
    written_by: number;
    written_ms: number;
  };
  address_ban: {
    id: Generated<number>;
    /** As `formatNetwork` writes it; of those that are not ended each is there once. */
    network: string;
    reason: string;
    banned_by: number;
    from_ms: number;
    /** Null: until somebody ends it. */
    until_ms: number | null;
    ended_ms: number | null;
  };
}
