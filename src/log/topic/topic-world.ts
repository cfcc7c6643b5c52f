// What every part of a topic is given: the world's seams, and what the topics of a log share.

import type { Clock } from '#base/clock.ts';
import type { Disk } from '#base/disk.ts';
import type { Logger } from '#base/logger.ts';
import type { OpenFiles } from '#base/open-files.ts';
import type { LogConfig } from '#log/config.ts';
import type { LogMetrics } from '#log/log-metrics.ts';
import type { SegmentIndexes } from '#log/segment/segment-indexes.ts';
import type { DeleteHook } from './delete-hook.ts';
import type { RetentionGuard } from './retention-guard.ts';

export interface TopicWorld {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly config: LogConfig;
  readonly metrics: LogMetrics;
  readonly files: OpenFiles;
  readonly indexes: SegmentIndexes;
  /** The topic's own. */
  readonly folder: string;
  readonly logId: string;
  readonly epoch: number;
  readonly guards: readonly RetentionGuard[];
  readonly hook: DeleteHook | undefined;
  /** Retention is to look at once, and not when it is next due. */
  onRoomWanted(): void;
  /** The topic can no longer keep its promises; the process is to end. */
  onFatal(error: Error): void;
}
