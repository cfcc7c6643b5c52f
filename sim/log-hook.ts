// The delete hook of the crash tests, and whoever watches what is removed. A hook takes its time and fails
// now and then; while it runs, the segment it was given stands there, sealed, whole. What may be removed:
//
// - A segment of a topic that lets its oldest go, and no other; of these never one that holds what the
//   topic's consumer has not read, unless the topic says so; by its age only one that is old enough.
// - Only after a hook has succeeded for it, in this life or in an earlier one.

import type { Clock } from '#base/clock.ts';
import { sleep } from '#base/clock.ts';
import { below, type Random } from '#base/random.ts';
import { aligned } from '#log/segment/alignment.ts';
import { isBatchIntact, readBatchHeader } from '#log/segment/batch.ts';
import { SEGMENT_HEADER_BYTES, segmentOffset } from '#log/segment/segment.ts';
import type { DeletedSegment, DeleteHook } from '#log/topic/delete-hook.ts';
import type { SimDisk } from './disk.ts';
import type { UserTopic } from './log-users.ts';
import { Violation } from './log-witness.ts';

const HOOK_MS_MAX = 20;

/** What a walk over a segment's bytes has found. */
interface Walked {
  readonly nextOffset: number;
  readonly newestMs: number;
  readonly isWhole: boolean;
}

export interface RemovalWorld {
  readonly folder: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly hasHook: boolean;
  readonly topics: readonly UserTopic[];
}

export class RemovalWatch {
  /** What one of them found wrong. */
  violation: Violation | undefined;
  readonly #world: RemovalWorld;
  /** Paths for which a hook has succeeded. */
  readonly #hooked = new Set<string>();

  constructor(world: RemovalWorld) {
    this.#world = world;
  }

  /** For one life on that disk; `isDead` tells its end. */
  hookOn(disk: SimDisk, isDead: () => boolean): DeleteHook | undefined {
    if (!this.#world.hasHook) return undefined;
    return { run: (segment, signal) => this.#run(disk, segment, { signal, isDead }) };
  }

  async #run(
    disk: SimDisk,
    { path, nextOffset }: DeletedSegment,
    { signal, isDead }: { readonly signal: AbortSignal; readonly isDead: () => boolean },
  ): Promise<void> {
    const { clock, random } = this.#world;
    this.#expectWhole(disk, path, nextOffset);
    await sleep(clock, below(random, HOOK_MS_MAX), signal);
    if (isDead()) return new Promise(() => {});
    this.#expectWhole(disk, path, nextOffset);
    if (below(random, 4) === 0) throw new Error('the hook does not want to');
    this.#hooked.add(path);
  }

  #expectWhole(disk: SimDisk, path: string, nextOffset: number): void {
    const name = path.slice(path.lastIndexOf('/') + 1);
    const folder = path.slice(0, path.lastIndexOf('/'));
    const isThere = disk.namesIn(folder).includes(name);
    const walked = isThere ? walk(disk.bytesOf(path)) : undefined;
    if (walked?.isWhole === true && walked.nextOffset <= nextOffset) return;
    this.violation ??= new Violation(`a hook was given ${path}, which is not there whole`);
  }

  /** A segment is being removed. From here on its topic may begin with the one after it. */
  onRemove(disk: SimDisk, path: string): void {
    const { folder: root, hasHook, clock } = this.#world;
    for (const { witness, options } of this.#world.topics) {
      const folder = `${root}/${witness.name}`;
      const name = path.slice(folder.length + 1);
      if (path !== `${folder}/${name}` || segmentOffset(name) === undefined) continue;
      const names = disk.namesIn(folder).filter((one) => segmentOffset(one) !== undefined);
      const next = segmentOffset(names[names.indexOf(name) + 1] ?? '');
      // An empty last one that is to be made anew; and an older one that stood in its place.
      if (next === undefined) continue;
      const isOldest = names[0] === name;
      if (!isOldest || !letsGo(options)) continue;
      witness.beginsAtMost = Math.max(witness.beginsAtMost, next);
      const { heldBelow } = witness;
      if (options.whenUnread !== 'remove' && heldBelow !== undefined && next > heldBelow) {
        this.violation ??= new Violation(`${path} went, and the consumer stands at ${heldBelow}`);
      }
      if (hasHook && !this.#hooked.has(path)) {
        this.violation ??= new Violation(`${path} went without its hook`);
      }
      const { ageMsMax } = options;
      const { newestMs } = walk(disk.bytesOf(path));
      if (ageMsMax !== undefined && clock.nowMs() - newestMs <= ageMsMax) {
        this.violation ??= new Violation(`${path} went, and is not older than ${ageMsMax} ms`);
      }
    }
  }
}

function letsGo({ whenFull, recordsMax, ageMsMax }: UserTopic['options']): boolean {
  return whenFull === 'removeOldest' || recordsMax !== undefined || ageMsMax !== undefined;
}

function walk(bytes: Uint8Array): Walked {
  let [nextOffset, newestMs, isWhole] = [0, 0, true];
  for (let at = SEGMENT_HEADER_BYTES; at < bytes.byteLength; ) {
    const header = readBatchHeader(bytes, at);
    if (header === undefined || !isBatchIntact(bytes, at, header)) {
      isWhole = false;
      break;
    }
    nextOffset = header.firstOffset + header.span;
    newestMs = Math.max(newestMs, header.timeMs);
    at = aligned(at + header.length);
  }
  return { nextOffset, newestMs, isWhole };
}
