// The tables of signed events as Kysely sees them; migrations/0680-events.ts makes them.

import type { Generated, Transaction } from 'kysely';
import { noteTurn } from '#archive/catalogue/archive-turns.ts';

export interface EventTables {
  /** Changes of the catalogue that no event tells of yet, in their order. */
  archive_change: {
    id: Generated<number>;
    kind: ChangeKind;
    torrent_id: number;
    /** Unix milliseconds. */
    at_ms: number;
  };
  /** Events of the topic that stand: of what is kept or wanted. */
  archive_event: {
    /** 64 hex digits. */
    name: string;
    kind: 'keep' | 'want';
    info_hash: string;
    torrent_id: number;
    log_offset: number;
    /** The blobs it names, with spaces between them. */
    refs: string;
  };
}

/** `drop`: neither kept nor wanted any more. */
export type ChangeKind = 'keep' | 'want' | 'drop';

/** To be called in the transaction of the change itself, so that neither exists without the other. */
export async function queueChange<Tables>(
  transaction: Transaction<Tables>,
  change: { readonly kind: ChangeKind; readonly torrentId: number; readonly nowMs: number },
): Promise<void> {
  const { kind, torrentId, nowMs } = change;
  await (transaction as unknown as Transaction<EventTables>)
    .insertInto('archive_change')
    .values({ kind, torrent_id: torrentId, at_ms: nowMs })
    .execute();
  // What is told again, at no time, became so before.
  if (kind === 'want' || nowMs === 0) return;
  await noteTurn(transaction, { kind, torrentId, atMs: nowMs });
}
