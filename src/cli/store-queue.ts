// The queue of received blobs as a topic of the log: one record for each, the 32 bytes of its hash. It is
// bounded and lets go of the oldest; a reader that falls behind so far is told.

import { fromHex, toHex } from '#base/bytes.ts';
import { codeOf } from '#base/errors.ts';
import { type BlobRef, blobRef } from '#base/ids.ts';
import type { Log, ReadRecord } from '#log/log.ts';
import type { DurableQueue, QueuedBlob, QueueLag, QueueRead } from '#store/sync/durable-queue.ts';

export const RECEIVED_TOPIC = 'store-received';

export class StoreQueue implements DurableQueue {
  readonly #log: Log;
  readonly #bytesMax: number;
  readonly #committed = new Map<string, number>();
  #made: Promise<void> | undefined;

  constructor(log: Log, bytesMax: number) {
    this.#log = log;
    this.#bytesMax = bytesMax;
  }

  async add(refs: readonly BlobRef[]): Promise<void> {
    await this.#make();
    const records = refs.map((ref) => ({
      value: fromHex(ref.slice('sha256-'.length)) as Uint8Array,
    }));
    await this.#log.append(RECEIVED_TOPIC, records, { consistency: 'durable' });
  }

  async read(
    reader: string,
    options: { readonly limit: number; readonly waitMs: number; readonly signal: AbortSignal },
  ): Promise<QueueRead> {
    await this.#make();
    const { limit: recordsMax, waitMs, signal } = options;
    const from = await this.#log.position(RECEIVED_TOPIC, reader);
    if (from === undefined) return await this.#lost('nextOffset');
    try {
      const wanted = { from, recordsMax, waitMs, signal };
      const { records, nextOffset, gaps } = await this.#log.read(RECEIVED_TOPIC, wanted);
      const blobs = records.flatMap(blobOf);
      const hasLost = gaps.length > 0 || blobs.length < records.length;
      return { blobs, next: nextOffset, hasLost };
    } catch (error) {
      const code = codeOf(error);
      if (code === 'LOG_OFFSET_REMOVED') return await this.#lost('firstOffset');
      if (code === 'LOG_OFFSET_BEYOND_END') return await this.#lost('nextOffset');
      throw error;
    }
  }

  async commit(reader: string, next: number): Promise<void> {
    if (this.#committed.get(reader) === next) return;
    await this.#log.commit(RECEIVED_TOPIC, reader, next);
    this.#committed.set(reader, next);
  }

  async lag(reader: string): Promise<QueueLag> {
    await this.#make();
    const from = await this.#log.position(RECEIVED_TOPIC, reader);
    const { firstOffset, nextOffset } = await this.#log.stats(RECEIVED_TOPIC);
    const at = Math.max(from ?? nextOffset, firstOffset);
    if (at >= nextOffset) return { blobs: 0, sinceMs: undefined };
    const { records } = await this.#log.read(RECEIVED_TOPIC, { from: at, recordsMax: 1 });
    return { blobs: nextOffset - at, sinceMs: records[0]?.timeMs };
  }

  async #lost(where: 'firstOffset' | 'nextOffset'): Promise<QueueRead> {
    const stats = await this.#log.stats(RECEIVED_TOPIC);
    return { blobs: [], next: stats[where], hasLost: true };
  }

  #make(): Promise<void> {
    this.#made ??= this.#log
      .createTopic(RECEIVED_TOPIC, {
        ...{ consistency: 'durable', bytesMax: this.#bytesMax },
        ...{ whenFull: 'removeOldest', whenUnread: 'remove' },
      })
      .catch((error: unknown) => {
        this.#made = undefined;
        throw error;
      });
    return this.#made;
  }
}

function blobOf({ value, timeMs: queuedMs }: ReadRecord): QueuedBlob[] {
  const ref = blobRef(`sha256-${toHex(value)}`);
  return ref === undefined ? [] : [{ ref, queuedMs }];
}
