// The scrub of the archive: proves every kept file once in a period, the one that waits longest first, at
// a bounded rate, and heals what it can. Each file is written down when it is done, so a run that was
// killed goes on with the next.

import type { ArchiveWorld } from '#archive/archive.ts';
import { filesToCheck } from '#archive/catalogue/archive-health.ts';
import { proveFiles } from '#archive/verify/prove-files.ts';
import type { Job } from '#base/job.ts';
import { Pace } from '#base/pace.ts';

const HOUR_MS = 3_600_000;
const FILES_AT_ONCE = 100;

export function scrubJob(world: ArchiveWorld): Job {
  return {
    name: 'archive-scrub',
    summary: 'Proves what the archive keeps, once in archive.scrubPeriodMs, and heals what it can.',
    schedule: { everyMs: HOUR_MS, jitterPercent: 10 },
    // A file that is large and a rate that is low may take long; nothing is lost when it is cut.
    timeLimitMs: 24 * HOUR_MS,
    async run({ signal, clock, logger, progress }) {
      const { sql, config, hasher, healers } = world;
      const counts = { files: 0, bytes: 0, damaged: 0, healed: 0 };
      if (config.scrubBytesPerSecond === 0) return { summary: 'The scrub is turned off.', counts };
      const paced = new Pace(clock, config.scrubBytesPerSecond);
      const pace = (bytes: number): Promise<void> => paced.take(bytes, signal);
      const beforeMs = clock.nowMs() - config.scrubPeriodMs;
      for (;;) {
        const files = await filesToCheck(sql, beforeMs, FILES_AT_ONCE);
        if (files.length === 0) break;
        const store = await world.store();
        const nowMs = (): number => clock.nowMs();
        const proving = { sql, store, hasher, healers, pace, signal, nowMs };
        await proveFiles(proving, files, (file, check) => {
          counts.files += 1;
          counts.bytes += check.bytes;
          counts.damaged += check.damage.length;
          counts.healed += check.healed;
          if (check.damage.length > 0) {
            const { length: segments } = check.damage;
            logger.error('A file of the archive is damaged', { file: file.id, segments });
          }
          progress(counts.bytes, undefined, 'bytes');
        });
      }
      return { summary: summaryOf(counts), counts };
    },
  };
}

function summaryOf({ files, damaged, healed }: Record<'files' | 'damaged' | 'healed', number>) {
  if (files === 0) return 'Everything was proven within its period.';
  const wrong =
    damaged === 0
      ? 'nothing is wrong'
      : `${damaged} ${damaged === 1 ? 'segment is' : 'segments are'} damaged`;
  return `${files} files were proven: ${wrong}, ${healed} were healed.`;
}
