// The tables of migrations/0320-credit.ts as Kysely sees them. Times are Unix milliseconds.

import type { Generated } from 'kysely';

export interface CreditTables {
  credit_window: {
    id: Generated<number>;
    /** 0: everybody. */
    member_id: number;
    /** 0: every torrent. */
    torrent_id: number;
    upload_percent: number;
    download_percent: number;
    from_ms: number;
    /** 2^53-1 when it has no end. */
    until_ms: number;
    /** 0: the operator at the command line. */
    opened_by: number;
    opened_ms: number;
    /** 1 when the trackers were told that it is over. */
    is_over: Generated<number>;
  };
  credit_token: {
    id: Generated<number>;
    member_id: number;
    given_by: number;
    given_ms: number;
    expires_ms: number;
    spent_ms: number | null;
    window_id: number | null;
  };
}
