// Removing a topic's oldest segment: one at a time, each durably before the next, so that after any
// crash what is left has no hole. A newer segment always stands on disk before: a topic without any
// could not tell its next offset.

import { codeOf, messageOf } from '#base/errors.ts';
import type { Segment } from '#log/segment/segment.ts';
import { segmentName } from '#log/segment/segment.ts';
import { indexPath } from '#log/segment/segment-indexes.ts';
import type { TopicState } from './topic-state.ts';
import type { TopicWorld } from './topic-world.ts';

/** False, with a warning, when it could not be removed or its removal may not last: stop here. */
export function removeOldestSegment(
  world: TopicWorld,
  state: TopicState,
  { segment, why }: { readonly segment: Segment; readonly why: string },
): Promise<boolean> {
  return state.exclusive(async () => {
    // Another one has removed it, or put a newer file in its place: the caller looks again.
    if (state.segments[0] !== segment || state.segments.length < 2) return true;
    const at = { topic: state.name, segment: segmentName(segment.firstOffset) };
    try {
      await settleRemovals(world, state);
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      world.logger.warn('Cannot remove a segment', { ...at, error: messageOf(error) });
      return false;
    }
    // Readers look at the list first: an offset in it is refused as removed from here on.
    state.segments.shift();
    state.areRemovalsDurable = false;
    try {
      await world.disk.remove(segment.path);
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      state.segments.unshift(segment);
      world.logger.warn('Cannot remove a segment', { ...at, error: messageOf(error) });
      return false;
    }
    world.indexes.forget(segment);
    await world.files.forget(segment.path);
    world.metrics.removedSegments.add(1);
    try {
      await settleRemovals(world, state);
      await world.disk.remove(indexPath(segment));
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      if (codeOf(error) !== 'ENOENT') {
        const said = { ...at, error: messageOf(error) };
        world.logger.warn('Cannot finish the removal of a segment', said);
        return false;
      }
    }
    world.logger.info('A segment was removed', { ...at, why });
    return true;
  });
}

/**
 * One that may come back after a crash, while the next one does not, would leave a hole between them:
 * what an earlier look could not sync is synced before any more goes. @throws the disk's error
 */
async function settleRemovals({ disk, folder }: TopicWorld, state: TopicState): Promise<void> {
  if (state.areRemovalsDurable) return;
  await disk.syncFolder(folder);
  state.areRemovalsDurable = true;
}
