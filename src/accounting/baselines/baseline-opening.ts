// Which snapshot of the baselines a start builds on, and from where the log is read after it:
//
//   the newest that is intact        the log behind its place
//   none is intact, one can be read  what is intact of it, and the whole log
//   none can be read                 the whole log
//
// Every entry is checked before anybody is served: a client whose baseline turns out to be damaged
// when it announces would begin anew, and the bytes since its last announce would be lost.

import { join } from 'node:path';
import { TRANSFERS_TOPIC } from '#accounting/transfers/transfer-record.ts';
import { messageOf } from '#base/errors.ts';
import { BaselineReader } from './baseline-reader.ts';
import type { BaselineStoreWorld } from './baseline-store.ts';
import { RecentBaselines } from './recent-baselines.ts';

export interface OpenedSnapshot {
  readonly reader: BaselineReader | undefined;
  /** Those of `reader` that were seen of late: read while every entry was checked. */
  readonly recent: RecentBaselines | undefined;
  /** Entries of `reader` that are not to be used; what the log still has of them is read from it. */
  readonly damagedEntries: number;
  /** The log's records from here on are newer, or not in it. */
  readonly replayFrom: number;
  /** The highest number of a snapshot in the folder; 0 without one. */
  readonly number: number;
}

interface Candidate {
  readonly reader: BaselineReader;
  readonly recent: RecentBaselines;
}

interface LogPlace {
  readonly firstOffset: number;
  readonly nextOffset: number;
}

const NAME = /^baselines-([0-9]{8})\.snapshot$/;

/** The number in a snapshot's file name; undefined when it is no name of one. */
export function snapshotNumber(name: string): number | undefined {
  const found = NAME.exec(name);
  return found === null ? undefined : Number(found[1]);
}

/** `recentSeconds`: since when somebody was seen of late. @throws the disk's and log's errors */
export async function openSnapshot(
  world: BaselineStoreWorld,
  recentSeconds: number,
): Promise<OpenedSnapshot> {
  const { disk, folder, log } = world;
  const place = await log.stats(TRANSFERS_TOPIC);
  const listed = await disk.list(folder);
  for (const name of listed) if (name.endsWith('.part')) await disk.remove(join(folder, name));
  const names = listed.filter((name) => snapshotNumber(name) !== undefined).reverse();
  const number = Math.max(0, ...names.map((name) => snapshotNumber(name) ?? 0));
  const damaged: string[] = [];
  let best: Candidate | undefined;
  for (const name of names) {
    const candidate = await inspect(world, name, { place, recentSeconds, damaged });
    if (candidate === undefined) continue;
    if (best !== undefined && damageOf(candidate) >= damageOf(best)) {
      await candidate.reader.retire();
      continue;
    }
    await best?.reader.retire();
    best = candidate;
    if (damageOf(candidate) === 0) break;
  }
  const intact = best !== undefined && damageOf(best) === 0 ? best : undefined;
  if (damaged.length > 0) tell(world, { damaged, usesOlder: intact !== undefined, place });
  return {
    reader: best?.reader,
    recent: best?.recent,
    damagedEntries: best === undefined ? 0 : damageOf(best),
    replayFrom: Math.max(place.firstOffset, intact?.reader.header.nextOffset ?? 0),
    number,
  };
}

/** Undefined when it is of no use; what is damaged is added to `damaged`. */
async function inspect(
  world: BaselineStoreWorld,
  name: string,
  how: {
    readonly place: LogPlace;
    readonly recentSeconds: number;
    readonly damaged: string[];
  },
): Promise<Candidate | undefined> {
  const { place, recentSeconds, damaged } = how;
  const path = join(world.folder, name);
  let reader: BaselineReader | undefined;
  try {
    reader = await BaselineReader.open(world.disk, path);
    if (fits(world, reader, place)) {
      const candidate = { reader, recent: await RecentBaselines.load(reader, recentSeconds) };
      const damage = damageOf(candidate);
      if (damage > 0) damaged.push(`${name}: ${damage} of its entries`);
      return candidate;
    }
    await reader.retire();
  } catch (error) {
    damaged.push(`${name}: ${messageOf(error)}`);
    await reader?.retire();
    // Kept under another name for whoever wants to look.
    await world.disk.rename(path, `${path}.damaged`);
  }
  return undefined;
}

/**
 * A snapshot that knows more than the log would make bytes look credited that no record carries;
 * without it the clients' next announces bring them.
 */
function fits(world: BaselineStoreWorld, reader: BaselineReader, place: LogPlace): boolean {
  const { log, logger } = world;
  const { logId, epoch, nextOffset } = reader.header;
  if (logId === log.id && epoch === log.epoch && nextOffset <= place.nextOffset) return true;
  logger.error('A snapshot of the baselines belongs to another state of the log and is not used', {
    snapshot: { logId, epoch, nextOffset },
    log: { id: log.id, epoch: log.epoch, nextOffset: place.nextOffset },
  });
  return false;
}

function damageOf({ recent }: Candidate): number {
  return recent.damagedEntries;
}

/** One line for all that was found: what is damaged, what is done about it, and what it costs. */
function tell(
  { logger }: BaselineStoreWorld,
  what: {
    readonly damaged: readonly string[];
    readonly usesOlder: boolean;
    readonly place: LogPlace;
  },
): void {
  const { damaged, usesOlder, place } = what;
  if (usesOlder) {
    logger.warn(
      'The newest snapshot of the baselines is damaged: the one before it is used, and the log brings back what is newer. Nothing is lost',
      { damaged },
    );
  } else if (place.firstOffset === 0) {
    logger.warn(
      'Every snapshot of the baselines is damaged: they are made anew from the whole log before anybody is served. Nothing is lost',
      { damaged, records: place.nextOffset },
    );
  } else {
    logger.error(
      'Every snapshot of the baselines is damaged, and the log no longer begins with its first record: who announced only before the first that is there begins anew, and the next announce of such a client credits nothing',
      { damaged, firstOffset: place.firstOffset },
    );
  }
}
