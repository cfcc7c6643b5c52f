// `swarmkeep archive …`: the state of what the archive keeps.

import type { Item, RoomsCommand } from '#cli/command.ts';
import { CliError } from '#cli/errors.ts';

const FILES_AT_ONCE = 100;

export const archiveVerify: RoomsCommand = {
  name: 'archive verify',
  summary:
    'Prove every file that is kept, at full speed, and heal from the swarm. Exits 1 when one stays damaged.',
  example: 'swarmkeep archive verify --json',
  async run({ archive, clock, sql }, _input, output) {
    const [{ archiveHealth, filesToCheck }, { proveFiles }] = await Promise.all([
      import('#archive/catalogue/archive-health.ts'),
      import('#archive/verify/prove-files.ts'),
    ]);
    const { signal } = output;
    const { bytes: total } = await archiveHealth(sql);
    const store = await archive.store();
    // A file is written down when it is done, and then no longer before this moment.
    const beforeMs = clock.nowMs();
    const nowMs = (): number => Math.max(beforeMs, clock.nowMs());
    const { hasher, healers } = archive;
    const world = { sql, store, hasher, healers, signal, nowMs };
    const sum = { files: 0, bytes: 0, damagedFiles: 0, damagedSegments: 0, healed: 0 };
    for (;;) {
      const files = await filesToCheck(sql, beforeMs, FILES_AT_ONCE);
      if (files.length === 0) break;
      await proveFiles(world, files, (_file, { bytes, damage, healed }) => {
        sum.files += 1;
        sum.bytes += bytes;
        sum.healed += healed;
        sum.damagedFiles += damage.length > 0 ? 1 : 0;
        sum.damagedSegments += damage.length;
        output.progress({ what: 'bytes proven', done: sum.bytes, total });
      });
    }
    output.item(sum);
    if (sum.damagedSegments > 0) {
      throw new CliError('CLI_FOUND_DAMAGE', 'Files of the archive are damaged; put them again');
    }
  },
  text: healthText,
};

export const archiveStats: RoomsCommand = {
  name: 'archive stats',
  summary: 'How much is kept, and what is known to be damaged.',
  example: 'swarmkeep archive stats',
  readOnly: true,
  async run({ sql }, _input, output) {
    const { archiveHealth } = await import('#archive/catalogue/archive-health.ts');
    const { checkedMs, ...health } = await archiveHealth(sql);
    output.item({ ...health, checkedMs: checkedMs ?? null });
  },
  text: healthText,
};

function healthText(item: Item): string {
  const damage =
    item['damagedSegments'] === 0
      ? 'nothing is damaged'
      : `damaged segments: ${item['damagedSegments']}, in files: ${item['damagedFiles']}`;
  const healed = (item['healed'] ?? 0) === 0 ? '' : `; healed: ${item['healed']}`;
  return `files: ${item['files']}, bytes: ${item['bytes']}; ${damage}${healed}`;
}
