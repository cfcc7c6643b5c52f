// What a record of the log leaves of a baseline: the rule of delta.ts followed record by record, as a
// start does it behind the snapshot, and as the audit does it to check what the tracker measured.

import { type DeltaKind, followDelta, newDeltaResult } from '#accounting/delta.ts';
import {
  RECORD_FLAG,
  TRANSFER_EVENT,
  type TransferRecord,
} from '#accounting/transfers/transfer-record.ts';
import type { Baseline, BaselineNumbers } from './baseline.ts';
import { cloneStreams } from './streams.ts';

const result = newDeltaResult();

/** The baseline that a record leaves behind, given the one before it as far as it is known. */
export function baselineAfter(before: Baseline | undefined, record: TransferRecord): Baseline {
  followRecord(before, record);
  const { streams: _, ...numbers } = result.next;
  const streams = cloneStreams(result.next.streams);
  return {
    ...numbers,
    memberId: record.memberId,
    torrentId: record.torrentId,
    peerId: record.peerId.slice(),
    left: record.left,
    sequence: record.sequence,
    lastSeenSeconds: Math.floor(record.timeMs / 1000),
    ...(streams !== undefined && { streams }),
  };
}

/**
 * Follows one record and returns the result, which is the same object each time. False in `fits` when
 * it is marked `resumed` and was not measured from what the streams before it say.
 */
export function followRecord(
  before: BaselineNumbers | undefined,
  record: TransferRecord,
): { readonly next: typeof result.next; readonly fits: boolean } {
  const kind = kindOf(record);
  const known = before !== undefined && kind !== 'first';
  const isOverlap = (record.flags & RECORD_FLAG.overlaps) !== 0;
  const { uploadedDelta, downloadedDelta } = record;
  const fits = followDelta(
    {
      known,
      previous: before ?? numbersBefore(record),
      // A reset by silence may come with a `started` that was none (a second family's).
      event: isOverlap ? TRANSFER_EVENT.none : record.event,
      uploaded: record.uploaded,
      downloaded: record.downloaded,
      left: record.left,
      key: record.key,
      nowSeconds: Math.floor(record.timeMs / 1000),
      resetAfterSeconds: 0,
    },
    result,
    {
      kind,
      uploadedDelta,
      downloadedDelta,
      completes: (record.flags & RECORD_FLAG.completes) !== 0,
    },
  );
  return { next: result.next, fits };
}

function kindOf({ flags }: TransferRecord): DeltaKind {
  if ((flags & RECORD_FLAG.first) !== 0) return 'first';
  if ((flags & RECORD_FLAG.reset) !== 0) return 'reset';
  if ((flags & RECORD_FLAG.resumed) !== 0) return 'resumed';
  return (flags & RECORD_FLAG.late) === 0 ? 'credit' : 'late';
}

/** As much as a record itself tells of the one before it, where that one is gone. */
function numbersBefore(record: TransferRecord): BaselineNumbers {
  return {
    uploaded: record.uploaded - record.uploadedDelta,
    downloaded: record.downloaded - record.downloadedDelta,
    key: record.key,
    sequence: (record.sequence - 1) >>> 0,
    higherAtSeconds: Math.floor(record.timeMs / 1000),
    left: record.left,
    completed: record.left === 0,
  };
}
