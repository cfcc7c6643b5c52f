// What every part of the archive is given.

import type { Clock } from '#base/clock.ts';
import type { Sql } from '#sql/sql.ts';
import type { Store } from '#store/store.ts';
import type { ArchiveConfig } from './config.ts';
import type { SegmentHasher } from './hash/segment-hasher.ts';
import type { Healer } from './verify/check-file.ts';

export interface ArchiveWorld {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly config: ArchiveConfig;
  readonly hasher: SegmentHasher;
  /** Who is asked for what was lost, in this order. */
  readonly healers: readonly Healer[];
  /** Opened when it is first asked for; whoever has it may keep it. @throws StoreError */
  store(): Promise<Store>;
}
