// Brings a snapshot of baselines that a backup gave back into the epoch of the restored log: only its
// header changes. One of another log or epoch is left as it is, and is then not used (baseline-opening.ts).

import type { Disk } from '#base/disk.ts';
import { BASELINE_HEADER_BYTES, decodeBaselineHeader, headerInEpoch } from './baseline-file.ts';

export async function enterBaselineEpoch(
  disk: Disk,
  path: string,
  to: { readonly logId: string; readonly before: number; readonly epoch: number },
): Promise<void> {
  const file = await disk.open(path, { write: true });
  try {
    const bytes = new Uint8Array(BASELINE_HEADER_BYTES);
    const count = await file.read(bytes, 0);
    const header = decodeBaselineHeader(bytes.subarray(0, count), await file.sizeBytes());
    if (header?.logId !== to.logId || header.epoch !== to.before) return;
    await file.write(headerInEpoch(bytes, to.epoch), 0);
    await file.datasync();
  } finally {
    await file.close();
  }
}
