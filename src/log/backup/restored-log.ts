// Makes a log of files that a backup gave back: the same identity in a later epoch, so that whoever
// followed the log that goes on elsewhere, or went on after the backup, never takes offsets of the one
// for those of the other.

import type { Disk } from '#base/disk.ts';
import { writeLogDescription } from '#log/descriptions.ts';
import { Checkpoint } from '#log/segment/checkpoint.ts';
import { CONSUMERS_FOLDER, MARK_NAME } from '#log/topic/topic-files.ts';

const EPOCH_MAX = 0xffff_ffff;

export interface RestoredLog {
  readonly disk: Disk;
  /** The log's; its topics' files are there. */
  readonly folder: string;
  readonly id: string;
  readonly epoch: number;
  readonly topics: readonly { readonly name: string; readonly nextOffset: number }[];
}

/**
 * The epoch of a log that is restored now. Seconds of the clock, so that two restorations of the same
 * backup do not have the same one.
 */
export function restoredEpoch(epoch: number, nowMs: number): number {
  return Math.min(EPOCH_MAX, Math.max(epoch + 1, Math.floor(nowMs / 1000)));
}

/** On disk when it resolves. @throws the disk's errors */
export async function finishRestoredLog(restored: RestoredLog): Promise<void> {
  const { disk, folder, id, epoch, topics } = restored;
  for (const { name, nextOffset } of topics) {
    const topic = `${folder}/${name}`;
    await disk.makeFolder(topic);
    const mark = await Checkpoint.open(disk, { folder: topic, name: MARK_NAME, epoch });
    await mark.write(nextOffset);
    const consumers = `${topic}/${CONSUMERS_FOLDER}`;
    const found = (await disk.stat(consumers)) === undefined ? [] : await disk.list(consumers);
    for (const consumer of found) {
      const position = await Checkpoint.open(disk, { folder: consumers, name: consumer, epoch });
      if (position.value !== undefined && position.value > nextOffset) {
        await position.write(nextOffset);
      }
    }
  }
  await writeLogDescription(disk, folder, { id, epoch });
}
