// What was found damaged in a topic's segments, by whoever found it: start, readers or the scrub. A
// copy is kept and the operator is told, once for each place.

import { messageOf } from '#base/errors.ts';
import { type Segment, segmentName } from '#log/segment/segment.ts';
import type { TopicWorld } from '#log/topic/topic-world.ts';
import { type AsideRange, setAside } from './set-aside.ts';

/** Places that were reported already; beyond this many they are reported again. */
const REPORTED_MAX = 4096;

export interface DamagedRange {
  readonly segment: Segment;
  readonly position: number;
  /** As `position` when there are no bytes to keep. */
  readonly end: number;
  readonly file: AsideRange['file'];
  /** For the operator. */
  readonly message: string;
}

export class DamageReports {
  readonly #world: TopicWorld;
  readonly #topic: string;
  readonly #reported = new Set<string>();

  constructor(world: TopicWorld, topic: string) {
    this.#world = world;
    this.#topic = topic;
  }

  /** Was reported before, perhaps by an earlier process. */
  know(place: string): void {
    if (this.#reported.size >= REPORTED_MAX) this.#reported.clear();
    this.#reported.add(place);
  }

  /** False when the place is known already. */
  async report(range: DamagedRange): Promise<boolean> {
    const { segment, position, end, file, message } = range;
    const place = placeKey(segment.firstOffset, position);
    if (this.#reported.has(place)) return false;
    this.know(place);
    const { metrics, logger } = this.#world;
    metrics.damage.add(1);
    const at = { topic: this.#topic, segment: segmentName(segment.firstOffset), position };
    let copy = '';
    try {
      const aside = { file, segment: segment.firstOffset, position, end };
      if (end > position) copy = await setAside(this.#world, 'damage', aside);
    } catch (error) {
      logger.warn('Cannot keep a copy of a damaged range', { ...at, error: messageOf(error) });
    }
    logger.error(message, { ...at, bytes: end - position, copy });
    return true;
  }
}

/** The name of a place within its topic. */
export function placeKey(segment: number, position: number): string {
  return `${segment}:${position}`;
}
