// Whether the store is whole, as far as a look tells: what was found damaged when it was opened, and whether
// what the rooms refer to is there. A disk that is not mounted shows here, where the store itself is
// only empty.

import type { Rooms } from '#cli/rooms.ts';
import { lostRoots } from '#store/gc/lost-roots.ts';
import { refOf } from '#store/store.ts';
import { type DamagedPlace, damageOf, knownCorruptIn } from '#store/verify.ts';
import type { Check, Found } from './finding.ts';

const NOTHING = refOf(new Uint8Array());
/** Half of what a check may take. */
const LOOK_MS_MAX = 10_000;

export const store: Check = {
  name: 'store',
  async run(rooms, signal) {
    const { leaves } = await rooms.store.stack();
    // A question that every copy must answer: whether a bucket is there and the keys may ask.
    for (const leaf of leaves) await leaf.store.stat([NOTHING], { signal });
    const endMs = rooms.clock.monotonicMs() + LOOK_MS_MAX;
    return storeFindings(rooms, { signal, isEnough: () => rooms.clock.monotonicMs() > endMs });
  },
};

/** `isEnough`, asked with the references seen so far, bounds the look. @throws StoreError */
export async function storeFindings(
  { store: room, care }: Pick<Rooms, 'store' | 'care'>,
  options: { readonly signal: AbortSignal; readonly isEnough: (seen: number) => boolean },
): Promise<Found[]> {
  const stack = await room.stack();
  const findings = damageOf(stack).map(damageFound);
  for (const { store, blobs } of knownCorruptIn(stack)) {
    findings.push({
      what: `${blobs} blobs in the store "${store}" were found wrong when they were read.`,
      advice:
        'Look after the disk. `store verify` names them; put them again, or restore a backup: what is put is stored anew.',
    });
  }
  const lost = await lostRoots(stack.store, care.contentRoots(), options);
  const [first] = lost.missing;
  if (first !== undefined) {
    findings.push({
      what: `${lost.missingCount} of ${lost.seen} blobs that are needed are not in the store, the first for "${first.neededBy}": ${first.ref}.`,
      advice:
        'See that its disk is mounted and that store.stack names the right place. `store verify` names all; put them again, or restore a backup.',
    });
  }
  for (const { source, why } of lost.unread) {
    findings.push({
      what: `What "${source}" needs of the store cannot all be read: ${why}.`,
      advice: 'See that its disk is mounted; else `store verify`, and a backup or a copy.',
    });
  }
  return findings;
}

function damageFound({ store: name, pack, start, end, isHeader }: DamagedPlace): Found {
  return isHeader
    ? {
        what: `The header of the pack ${pack} in the store "${name}" is damaged; no blob is lost by it.`,
        advice: 'Look after the disk, then run `store compact`, which writes the pack anew.',
      }
    : {
        what: `The pack ${pack} in the store "${name}" cannot be read from byte ${start} to ${end}.`,
        advice: 'Run `store verify`, which names what is lost; put it again, or restore a backup.',
      };
}
