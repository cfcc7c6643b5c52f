// One backup to a place: made, older ones forgotten, and noted for `doctor`. What the command and the job
// have in common.

import { CliError } from '#cli/errors.ts';
import { type BackupSet, lackingIn, outdated } from '#store/backup/backup-set.ts';
import { type BackedUpRooms, backUp, type MadeBackup } from './back-up.ts';
import { refuseNested, withPlace } from './backup-place.ts';
import { writeLastBackup } from './last-backup.ts';

export interface BackupWanted {
  /** As placeOfWord() gives it. */
  readonly place: string;
  /** Whole backups of this server that stay; undefined: all. */
  readonly keep: number | undefined;
  /** Makes folders that are not there. */
  readonly makesPlace: boolean;
  readonly signal: AbortSignal;
  readonly progress: (what: string, done: number, total: number) => void;
  /** Looks at the place before anything is written, and may throw. */
  readonly before?: (backups: BackupSet) => Promise<void>;
}

export interface BackupDone {
  readonly made: MadeBackup;
  readonly forgotten: number;
  /** Blobs that are needed and not in it; 0 when it is whole. */
  readonly lacking: number;
}

/** @throws CliError CLI_REFUSED while another one is made; as backUp() says */
export async function makeBackup(rooms: BackedUpRooms, wanted: BackupWanted): Promise<BackupDone> {
  const { place, keep, signal, progress } = wanted;
  refuseNested(rooms.dataPath, place);
  return await onlyOne(rooms, () =>
    withPlace(
      rooms.store,
      place,
      async (backups, isCurrent) => {
        await wanted.before?.(backups);
        const made = await backUp(rooms, { backups, isCurrent, signal, progress });
        const forgotten = await forgetOld(rooms, backups, { keep, isCurrent, signal });
        const lacking = lackingIn(made.backup);
        const madeMs = rooms.clock.nowMs();
        if (lacking === 0) writeLastBackup(rooms.dataPath, { madeMs, place });
        return { made, forgotten, lacking };
      },
      wanted.makesPlace,
    ),
  );
}

/** The folder for work is one. */
async function onlyOne<Result>(rooms: BackedUpRooms, run: () => Promise<Result>): Promise<Result> {
  if (running.has(rooms.store)) {
    throw new CliError('CLI_REFUSED', 'A backup is being made already');
  }
  running.add(rooms.store);
  try {
    return await run();
  } finally {
    running.delete(rooms.store);
  }
}

const running = new WeakSet<object>();

/** Of this server only: others may have backups in the same place. */
async function forgetOld(
  rooms: BackedUpRooms,
  backups: BackupSet,
  options: {
    readonly keep: number | undefined;
    readonly isCurrent: boolean;
    readonly signal: AbortSignal;
  },
): Promise<number> {
  const { keep, isCurrent, signal } = options;
  if (keep === undefined) return 0;
  const ours = (await backups.list({ signal })).filter(
    ({ manifest }) => manifest.log.id === rooms.log.id,
  );
  const old = outdated(ours, keep);
  // In the own store garbage collection removes what nobody names any more.
  await backups.forget(old, { sweeps: !isCurrent, signal });
  return old.length;
}
