// What one topic lets go by age and by count (TopicOptions), oldest segments first and never the last.
// Nothing goes that someone still needs (retention-guard.ts). Where there is a delete hook:
//
// - What is to go is written down first, in `<topic>/removing` (checkpoint.ts): the offset at which the
//   topic is to begin. So a process that ended goes on, whatever its settings say by now.
// - The hook runs for one segment at a time, oldest first, and is tried again until it succeeds or
//   `deleteHookTriesMax` is reached; only then the segment goes. A topic that removes its oldest
//   segments at its size has the hooks of the next two run ahead, so that appends seldom wait.

import { assert } from '#base/assert.ts';
import { codeOf, messageOf } from '#base/errors.ts';
import type { RetentionStats } from '#log/log.ts';
import { Checkpoint } from '#log/segment/checkpoint.ts';
import type { Segment } from '#log/segment/segment.ts';
import { segmentName } from '#log/segment/segment.ts';
import { removeOldestSegment } from './oldest-segment.ts';
import { type Held, heldIn } from './retention-guard.ts';
import { SEGMENTS_PER_LIMIT } from './size-limit.ts';
import type { TopicConsumers } from './topic-consumers.ts';
import { REMOVING_NAME } from './topic-files.ts';
import type { TopicState } from './topic-state.ts';
import type { TopicWorld } from './topic-world.ts';

/** Segments of a topic at its size whose hooks are run ahead. */
const SEGMENTS_AHEAD = 2;

export class TopicRetention {
  readonly #world: TopicWorld;
  readonly #state: TopicState;
  readonly #consumers: TopicConsumers;
  readonly #roll: () => Promise<void>;
  #removing: Checkpoint | undefined;
  #held: Held | undefined;
  #waiting = 0;
  #failures = 0;
  #dropped = 0;
  /** Of the hook of the oldest segment, in a row. */
  #tries = 0;

  constructor(
    world: TopicWorld,
    state: TopicState,
    parts: { readonly consumers: TopicConsumers; readonly roll: () => Promise<void> },
  ) {
    this.#world = world;
    this.#state = state;
    this.#consumers = parts.consumers;
    this.#roll = parts.roll;
  }

  /** Undefined while it has nothing to tell. */
  get stats(): RetentionStats | undefined {
    const held = this.#held;
    const { hook } = this.#world;
    if (held === undefined && (hook === undefined || !this.#hasRules)) return undefined;
    return {
      ...(held === undefined ? undefined : { heldBy: held.by, heldFrom: held.offset }),
      hooksWaiting: this.#waiting,
      hookFailures: this.#failures,
      hooksDropped: this.#dropped,
    };
  }

  /** One look. Hooks that fail are tried again by the next. @throws the signal's reason */
  async run(signal: AbortSignal): Promise<void> {
    if (!this.#hasRules) return;
    try {
      await this.#look(signal);
    } catch (error) {
      if (codeOf(error) === undefined || signal.aborted) throw error;
      // A disk that cannot be read, a guard that cannot be asked: everything stays.
      const topic = this.#state.name;
      this.#world.logger.warn('Cannot look at what may be removed', {
        topic,
        error: messageOf(error),
      });
    }
  }

  get #hasRules(): boolean {
    const { ageMsMax, recordsMax } = this.#state.rules;
    return ageMsMax !== undefined || recordsMax !== undefined || this.#isHookedRing;
  }

  get #isHookedRing(): boolean {
    const { limit } = this.#state;
    return this.#world.hook !== undefined && limit?.whenFull === 'removeOldest';
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { hook } = this.#world;
    const state = this.#state;
    if (await this.#isLastExpired()) await this.#roll();
    const { name, rules } = state;
    const held = await heldIn({ name, rules, consumers: this.#consumers }, this.#world.guards);
    let target = await this.#target();
    if (hook !== undefined) {
      const removing = await this.#open();
      target = Math.max(target, removing.value ?? 0);
      if (target > state.firstOffset && target !== removing.value) await removing.write(target);
    }
    this.#held = held !== undefined && held.offset < target ? held : undefined;
    const end = Math.min(target, held?.offset ?? Number.POSITIVE_INFINITY);
    for (;;) {
      signal.throwIfAborted();
      const [segment, next] = state.segments;
      this.#waiting = state.segments.filter(
        (_, nth) => (state.segments[nth + 1]?.firstOffset ?? Number.POSITIVE_INFINITY) <= end,
      ).length;
      if (segment === undefined || next === undefined || next.firstOffset > end) return;
      if (!(await this.#release(segment, next.firstOffset, signal))) return;
      const why = 'retention: it is older, or more, than its topic keeps';
      if (!(await removeOldestSegment(this.#world, state, { segment, why }))) return;
      // One that was replaced meanwhile stays until it is looked at again.
      if (state.segments[0] === segment) return;
    }
  }

  /** Runs the hook, if there is one; true when the segment may go. */
  async #release(segment: Segment, nextOffset: number, signal: AbortSignal): Promise<boolean> {
    const { hook, logger, metrics, config } = this.#world;
    const state = this.#state;
    if (hook === undefined || nextOffset <= state.releasedOffset) return true;
    const { path, firstOffset } = segment;
    const at = { topic: state.name, segment: segmentName(firstOffset) };
    try {
      await hook.run({ topic: state.name, path, firstOffset, nextOffset }, signal);
      metrics.hooks.add(1);
    } catch (error) {
      if (signal.aborted) throw error;
      this.#tries++;
      this.#failures++;
      metrics.hookFailures.add(1);
      const { deleteHookTriesMax } = config;
      if (deleteHookTriesMax === 0 || this.#tries < deleteHookTriesMax) {
        const said = { ...at, tries: this.#tries, error: messageOf(error) };
        logger.warn('A delete hook failed; the segment stays and it is tried again', said);
        return false;
      }
      this.#dropped++;
      metrics.hooksDropped.add(1);
      logger.error('A delete hook was given up; its segment goes without it', at);
    }
    this.#tries = 0;
    state.releasedOffset = nextOffset;
    return true;
  }

  /** Where the topic is to begin by its rules. */
  async #target(): Promise<number> {
    const { segments, nextOffset, rules } = this.#state;
    const { recordsMax = Number.POSITIVE_INFINITY } = rules;
    let target = this.#state.firstOffset;
    let { bytes } = this.#state;
    for (const [nth, segment] of [...segments].entries()) {
      const next = segments[nth + 1];
      if (next === undefined) break;
      const isTooMany = nextOffset - next.firstOffset >= recordsMax;
      if (!isTooMany && !this.#isSoonFull(bytes) && !(await this.#isExpired(segment))) break;
      bytes -= segment.endPosition;
      target = next.firstOffset;
    }
    return target;
  }

  #isSoonFull(bytes: number): boolean {
    const { limit } = this.#state;
    if (limit === undefined || !this.#isHookedRing) return false;
    return bytes > limit.bytesMax - (limit.bytesMax / SEGMENTS_PER_LIMIT) * SEGMENTS_AHEAD;
  }

  async #isExpired(segment: Segment): Promise<boolean> {
    const { ageMsMax } = this.#state.rules;
    if (ageMsMax === undefined) return false;
    // A segment of which nothing can be read is as old as the one that follows.
    const at = this.#state.segments.indexOf(segment);
    for (const one of this.#state.segments.slice(Math.max(0, at))) {
      const newestMs = (await this.#world.indexes.of(one)).timeMsMax;
      if (newestMs > 0) return this.#world.clock.nowMs() - newestMs > ageMsMax;
    }
    return false;
  }

  async #isLastExpired(): Promise<boolean> {
    const last = this.#state.segments.at(-1);
    const { ageMsMax } = this.#state.rules;
    if (last === undefined || ageMsMax === undefined) return false;
    // One that was cut back after a failure has to be looked through again.
    const { timeMsMax } = await this.#world.indexes.of(last);
    if (timeMsMax === 0) return false;
    return this.#world.clock.nowMs() - timeMsMax > ageMsMax;
  }

  async #open(): Promise<Checkpoint> {
    const { disk, folder, epoch } = this.#world;
    const place = { folder, name: REMOVING_NAME, epoch };
    this.#removing ??= await Checkpoint.open(disk, place);
    await this.#removing.settle();
    assert(this.#removing !== undefined, 'the checkpoint is open');
    return this.#removing;
  }
}
