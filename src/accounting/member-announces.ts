// What the log holds of one member, announce by announce: for an export of everything that is held.

import {
  decodeTransfer,
  TRANSFER_AT,
  TRANSFER_RECORD_BYTES,
  TRANSFERS_TOPIC,
  type TransferRecord,
} from '#accounting/transfers/transfer-record.ts';
import type { Log } from '#log/log.ts';

const READ_RECORDS = 16_384;

export interface AnnouncesRead {
  readonly signal?: AbortSignal;
  /** After each read: records looked at, of how many. */
  progress?(done: number, total: number): void;
}

/** Oldest first, up to where the topic ended when it was called. @throws as Log.read */
export async function* memberAnnounces(
  log: Pick<Log, 'read' | 'stats'>,
  memberId: number,
  { signal, progress }: AnnouncesRead = {},
): AsyncGenerator<TransferRecord> {
  const { firstOffset, nextOffset: end } = await log.stats(TRANSFERS_TOPIC);
  for (let at = firstOffset; at < end; ) {
    signal?.throwIfAborted();
    const recordsMax = Math.min(READ_RECORDS, end - at);
    const { records, nextOffset } = await log.read(TRANSFERS_TOPIC, { from: at, recordsMax });
    for (const { value } of records) {
      if (!isOf(value, memberId)) continue;
      const record = decodeTransfer(value);
      if (record !== undefined) yield record;
    }
    at = nextOffset;
    progress?.(at - firstOffset, end - firstOffset);
  }
}

/** Most records are somebody else's: they are not decoded. */
function isOf(value: Uint8Array, memberId: number): boolean {
  if (value.byteLength !== TRANSFER_RECORD_BYTES) return false;
  const at = TRANSFER_AT.memberId;
  const low = value[at]! | (value[at + 1]! << 8) | (value[at + 2]! << 16) | (value[at + 3]! << 24);
  return low >>> 0 === memberId;
}
