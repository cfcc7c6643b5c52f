// What syncs tell at /metrics, each by the far store's line.

import type { Registry } from '#metrics/registry.ts';

export class SyncMetrics {
  readonly #copied: ReturnType<Registry['counter']>;
  readonly #sampledBytes: ReturnType<Registry['counter']>;
  readonly #lagBlobs: ReturnType<Registry['gauge']>;
  readonly #lagSeconds: ReturnType<Registry['gauge']>;
  readonly #failures: ReturnType<Registry['gauge']>;
  readonly #away: ReturnType<Registry['gauge']>;

  constructor(metrics: Registry) {
    this.#copied = metrics.counter(
      'swarmkeep_store_sync_copied_total',
      'Blobs that a sync copied to its far store.',
    );
    this.#sampledBytes = metrics.counter(
      'swarmkeep_store_sync_sampled_bytes_total',
      'Bytes of the far store that were read and hashed as a sample.',
    );
    this.#lagBlobs = metrics.gauge(
      'swarmkeep_store_sync_lag_blobs',
      'Blobs that were received and that the far store was not yet asked for.',
    );
    this.#lagSeconds = metrics.gauge(
      'swarmkeep_store_sync_lag_seconds',
      'How long the oldest blob of the queue has waited.',
    );
    this.#failures = metrics.gauge(
      'swarmkeep_store_sync_failures',
      'Blobs that could not be copied, or were rotten at the far store, and are not acknowledged.',
    );
    this.#away = metrics.gauge(
      'swarmkeep_store_sync_away',
      '1 while the far store cannot be used, else 0.',
    );
  }

  copied(sync: string, blobs: number): void {
    this.#copied.add(blobs, { sync });
  }

  sampled(sync: string, bytes: number): void {
    this.#sampledBytes.add(bytes, { sync });
  }

  lag(sync: string, blobs: number, seconds: number): void {
    this.#lagBlobs.set(blobs, { sync });
    this.#lagSeconds.set(seconds, { sync });
  }

  failures(sync: string, blobs: number): void {
    this.#failures.set(blobs, { sync });
  }

  isAway(sync: string, isAway: boolean): void {
    this.#away.set(isAway ? 1 : 0, { sync });
  }
}
