// Writes what was laid out (layout.ts) to its pack: blobs that lie in memory of their own and follow each
// other by one call of the system, where the disk has such a call. A trip through the pool for each costs as
// much as a tenth of hashing it.

import type { DiskFile } from '#base/disk.ts';
import type { Part } from './layout.ts';

/** Systems take 1,024. */
const TOGETHER_MAX = 64;

/** @throws the disk's errors; then any of them may have been written */
export async function writeParts(file: DiskFile, parts: readonly Part[]): Promise<void> {
  for (const run of runsOf(parts)) {
    if (await writeTogether(file, run)) continue;
    for (const { bytes, position, isFrame } of run) {
      await file.write(bytes, position, { isDirect: isFrame });
    }
  }
}

/** Frames that follow each other together, everything else by itself. */
function runsOf(parts: readonly Part[]): readonly (readonly Part[])[] {
  const runs: Part[][] = [];
  for (const part of parts) {
    const run = runs.at(-1);
    const isNext = part.isFrame && run?.at(-1)?.isFrame === true && run.length < TOGETHER_MAX;
    if (isNext) run.push(part);
    else runs.push([part]);
  }
  return runs;
}

/** False: nothing of it counts as written. */
async function writeTogether(file: DiskFile, run: readonly Part[]): Promise<boolean> {
  const [first] = run;
  if (first === undefined || run.length === 1 || file.writeDirectly === undefined) return false;
  const bytes = run.map((part) => part.bytes);
  return await file.writeDirectly(bytes, first.position);
}
