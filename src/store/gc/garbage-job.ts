// Collects garbage every so often. Unless configured it only marks: what could be removed is then shown,
// and `store gc` removes it at once. It does not remove by itself before somebody has said so, because
// blobs that another program put under a name it keeps for itself would be lost a day later.

import type { Job } from '#base/job.ts';
import type { Garbage } from './garbage.ts';

export function garbageJob(world: {
  readonly garbage: () => Promise<Garbage>;
  readonly removes: boolean;
  readonly everyMs: number;
}): Job {
  return {
    name: 'store-garbage',
    summary: world.removes
      ? 'Removes blobs that nothing has referred to for a day, and gives back their space.'
      : 'Marks blobs that nothing refers to; `store gc` removes those marked a day ago.',
    schedule: { everyMs: world.everyMs, jitterPercent: 10 },
    timeLimitMs: 6 * 3_600_000,
    async run({ signal, progress }) {
      const garbage = await world.garbage();
      const { seen, waiting, due, removed, givenBack } = await garbage.collect({
        signal,
        markOnly: !world.removes,
        onProgress: (at) => progress(at.seen, undefined, 'blobs'),
      });
      return {
        summary: world.removes
          ? `${removed.blobs} blobs of ${removed.bytes} bytes removed.`
          : `${due.blobs} blobs of ${due.bytes} bytes can be removed by "store gc".`,
        counts: { seen: seen.blobs, waiting: waiting.blobs, freedBytes: givenBack.freedBytes },
      };
    },
  };
}
