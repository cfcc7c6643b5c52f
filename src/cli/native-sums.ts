// Checksums of the log by the processor, where the addon is and can: see src/log/segment/crc32c.ts.

import { sumLongRunsBy } from '#log/segment/crc32c.ts';
import { type AddonPlace, loadAddon } from '#net/addon.ts';

/** For this thread, from here on. Nothing where there is no addon, or no instruction. */
export function sumByAddon(place: AddonPlace): void {
  const loaded = loadAddon(place);
  if ('why' in loaded) return;
  const { addon } = loaded;
  sumLongRunsBy((bytes, from, to, seed) => addon.crc32c(bytes, from, to, seed));
}
