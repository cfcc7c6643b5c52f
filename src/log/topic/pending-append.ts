// Appends that wait in a topic's writer, and how those that are written together become batches.

import type { LogConfig } from '#log/config.ts';
import { LogError } from '#log/errors.ts';
import type { Appended, Consistency, LogRecord, ProducerStamp } from '#log/log.ts';
import type { PackedRecords } from '#log/segment/packed-records.ts';

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

/** An append that stands in the segment already and waits for a sync once more. */
export function writtenBefore(
  { firstOffset, count }: Appended,
  answer: Pick<Pending, 'resolve' | 'reject'>,
): Pending {
  const written = {
    records: [],
    count,
    bytes: 0,
    consistency: 'durable',
    stamp: undefined,
  } as const;
  return { ...written, ...answer, firstOffset, stopListening: undefined, isCancelled: false };
}

/** Why an append is not taken, whatever it holds. */
export function refusalOf(
  { count, bytes }: { readonly count: number; readonly bytes: number },
  topic: { readonly name: string; readonly config: LogConfig; readonly queueBytes: number },
): LogError | undefined {
  const { name, queueBytes } = topic;
  const { batchRecordsMax, batchBytesMax, queueBytesMax } = topic.config;
  if (count < 1 || count > batchRecordsMax || bytes > batchBytesMax) {
    return new LogError(
      'LOG_BATCH_TOO_LARGE',
      `Cannot append to topic "${name}": ${count} records of ${bytes} bytes, expected 1 to ${batchRecordsMax} records and at most ${batchBytesMax} bytes`,
    );
  }
  if (queueBytes > 0 && queueBytes + bytes > queueBytesMax) {
    return new LogError(
      'LOG_QUEUE_FULL',
      `Cannot append to topic "${name}": ${queueBytes} bytes are waiting, expected at most ${queueBytesMax}`,
    );
  }
  return undefined;
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
