// Moves members between classes, page by page, and goes on where it stopped.

import type { Transaction } from 'kysely';
import type { ClassTables } from '#accounting/classes/class-tables.ts';
import {
  type ClassEffects,
  type ClassRules,
  type ClassWorld,
  checkClasses,
} from '#accounting/classes/member-classes.ts';
import { refuseBehind } from '#accounting/ledger/ledger-behind.ts';
import type { JudgedMembers } from '#accounting/rules/member-histories.ts';
import type { Job } from '#base/job.ts';

const PAGE_MEMBERS = 200;
const HOUR_MS = 3_600_000;

export interface PromotionsWorld extends ClassWorld {
  readonly members: JudgedMembers;
  /** Records that the ledger has not counted: with many, nobody is judged. */
  readonly recordsBehind: () => Promise<number>;
  readonly effects: ClassEffects;
  /** Asked at the start of each run: an operator changes them while the program runs. */
  readonly rules: () => Promise<ClassRules>;
}

export function promotionsJob(world: PromotionsWorld): Job {
  return {
    name: 'promotions',
    summary:
      'Promotes members to the classes they reached, warns and demotes those who fell short.',
    schedule: { everyMs: HOUR_MS, jitterPercent: 10 },
    timeLimitMs: 2 * HOUR_MS,
    async run({ signal, clock, progress, checkpoint, fenced }) {
      const from = await checkpoint.load();
      refuseBehind(await world.recordsBehind());
      const rules = await world.rules();
      const total = await world.members.count();
      const counts: Record<string, number> = { looked: 0 };
      for (let after = typeof from === 'number' ? from : 0; ; ) {
        signal.throwIfAborted();
        const page = await world.members.page(after, PAGE_MEMBERS);
        const last = page.at(-1);
        if (last === undefined) break;
        const made = await checkClasses(world, page, {
          nowMs: clock.nowMs(),
          rules,
          fenced: (transaction: Transaction<ClassTables>) => fenced(transaction),
        });
        for (const { transition } of made) {
          counts[transition.step] = (counts[transition.step] ?? 0) + 1;
        }
        counts['looked'] = (counts['looked'] ?? 0) + page.length;
        after = last.memberId;
        await checkpoint.save(after);
        progress(counts['looked'] ?? 0, total, 'members');
      }
      await checkpoint.save(undefined);
      return { summary: 'Every member’s class is looked at.', counts };
    },
  };
}
