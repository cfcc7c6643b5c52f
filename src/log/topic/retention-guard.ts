// Who still needs records: retention asks before it takes any. The consumers of a topic are asked by
// themselves; whoever else keeps a position (a mirror, a backup that is being made) is given to the log.

import type { TopicConsumers } from './topic-consumers.ts';
import type { TopicRules } from './topic-rules.ts';

export interface RetentionGuard {
  /** For the operator. */
  readonly name: string;
  /** The first offset that is still needed; undefined when nothing is. A failure keeps everything. */
  neededFrom(topic: string): Promise<number | undefined>;
}

/** The first offset that must stay, and for whom. */
export interface Held {
  readonly by: string;
  readonly offset: number;
}

/** Undefined when nobody holds anything. @throws the disk's error, the guard's */
export async function heldIn(
  topic: { readonly name: string; readonly rules: TopicRules; readonly consumers: TopicConsumers },
  guards: readonly RetentionGuard[],
): Promise<Held | undefined> {
  const { name, rules, consumers } = topic;
  let held: Held | undefined;
  const hold = (by: string, offset: number): void => {
    if (held === undefined || offset < held.offset) held = { by, offset };
  };
  const committed = await consumers.stats();
  const { requires } = rules;
  if (requires !== undefined) {
    hold(requires, committed.find((consumer) => consumer.name === requires)?.offset ?? 0);
  }
  if (rules.whenUnread !== 'remove') {
    for (const consumer of committed) hold(consumer.name, consumer.offset);
  }
  for (const guard of guards) {
    const offset = await guard.neededFrom(name);
    if (offset !== undefined) hold(guard.name, offset);
  }
  return held;
}
