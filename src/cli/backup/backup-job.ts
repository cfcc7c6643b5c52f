// Backs the data folder up on a timetable (`backup.place`), and keeps the newest few. A run that is killed
// leaves blobs that the next one finds there; what is a backup is whole or says what it lacks.

import type { Job } from '#base/job.ts';
import { CliError } from '#cli/errors.ts';
import type { BackupConfig } from '#store/backup/config.ts';
import type { BackedUpRooms } from './back-up.ts';

const TIME_LIMIT_MS = 24 * 3_600_000;

/** None while no place is named. */
export function backupJobs(rooms: BackedUpRooms, config: BackupConfig): readonly Job[] {
  if (config.place === '') return [];
  return [backupJob(rooms, config)];
}

function backupJob(rooms: BackedUpRooms, { place: word, everyMs, kept: keep }: BackupConfig): Job {
  return {
    name: 'backup',
    summary: `Backs everything up to ${word}, and keeps the newest ${keep} of them.`,
    schedule: { everyMs, jitterPercent: 5 },
    timeLimitMs: TIME_LIMIT_MS,
    async run({ signal, progress }) {
      // Read when it runs: a server that starts needs none of it.
      const { placeOfWord } = await import('./backup-place.ts');
      const { readLastBackup } = await import('./last-backup.ts');
      const { makeBackup } = await import('./make-backup.ts');
      const place = placeOfWord(word);
      const { made, forgotten, lacking } = await makeBackup(rooms, {
        ...{ place, keep, signal },
        // A disk that is not mounted is no folder to make a backup in.
        makesPlace: false,
        progress: (what, done, total) => progress(done, total === 0 ? undefined : total, what),
        before: async (backups) => {
          const had = readLastBackup(rooms.dataPath)?.place === place;
          if (!had || (await backups.list({ signal })).length > 0) return;
          throw new CliError(
            'CLI_REFUSED',
            `Cannot back up to ${word}: the backups that were there are gone. See that its disk is mounted; if they are meant to be gone, \`swarmkeep backup\` makes the first one`,
          );
        },
      });
      const { files, bytes, newBytes } = made;
      if (lacking > 0) {
        throw new CliError(
          'CLI_FOUND_DAMAGE',
          `The backup is incomplete: ${lacking} blobs that are needed are not in it. \`store verify\` names them`,
        );
      }
      return { summary: 'A backup is made.', counts: { files, bytes, newBytes, forgotten } };
    },
  };
}
