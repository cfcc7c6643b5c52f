// Appends that wait in a topic's writer, and how those that are written together become batches.

import type { LogConfig } from './config.ts';
import type { Appended, Consistency, LogRecord, ProducerStamp } from './log.ts';
import { PackedRecords } from './packed-records.ts';

export interface Pending {
  readonly records: readonly LogRecord[] | PackedRecords;
  readonly count: number;
  readonly bytes: number;
  readonly consistency: Consistency;
  readonly stamp: ProducerStamp | undefined;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (reason: unknown) => void;
  stopListening: (() => void) | undefined;
  isCancelled: boolean;
  firstOffset: number;
}

/** What becomes one batch. */
export interface Group {
  readonly pendings: Pending[];
  count: number;
  bytes: number;
}

/** In order. A stamped append is alone in its batch. */
export function groupOf(flush: readonly Pending[], config: LogConfig): Group[] {
  const { batchBytesMax, batchRecordsMax } = config;
  const groups: Group[] = [];
  let group: Group | undefined;
  for (const pending of flush) {
    if (
      group === undefined ||
      pending.stamp !== undefined ||
      group.pendings[0]?.stamp !== undefined ||
      group.bytes + pending.bytes > batchBytesMax ||
      group.count + pending.count > batchRecordsMax
    ) {
      group = { pendings: [], count: 0, bytes: 0 };
      groups.push(group);
    }
    group.pendings.push(pending);
    group.count += pending.count;
    group.bytes += pending.bytes;
  }
  return groups;
}

/** What the batch of a single append takes over from it. */
export function soleFields(pendings: readonly Pending[]): {
  readonly producerId?: number;
  readonly producerSequence?: number;
  readonly bodySum?: number | undefined;
} {
  const [only] = pendings;
  if (only === undefined || pendings.length > 1) return {};
  const bodySum = only.records instanceof PackedRecords ? only.records.sum : undefined;
  if (only.stamp === undefined) return { bodySum };
  return { bodySum, producerId: only.stamp.id, producerSequence: only.stamp.sequence };
}
