// Judges every member, page by page, and goes on where it stopped.

import type { Transaction } from 'kysely';
import { refuseBehind } from '#accounting/ledger/ledger-behind.ts';
import type { JudgedMembers } from '#accounting/rules/member-histories.ts';
import type { StandingTables } from '#accounting/rules/standing-tables.ts';
import { checkStandings, type StandingsWorld } from '#accounting/rules/standings.ts';
import type { RulesConfig } from '#accounting/rules-config.ts';
import { makeStrategy } from '#accounting/strategies/make-strategy.ts';
import type { Job } from '#base/job.ts';

const PAGE_MEMBERS = 100;

export interface RatioWatchWorld extends Omit<StandingsWorld, 'strategy' | 'settings'> {
  readonly members: JudgedMembers;
  /** Records that the ledger has not counted: with many, nobody is judged. */
  readonly recordsBehind: () => Promise<number>;
  /** Asked at the start of each run: an operator changes them while the program runs. */
  readonly rules: () => Promise<RulesConfig>;
  readonly everyMs: number;
}

export function ratioWatchJob(world: RatioWatchWorld): Job {
  return {
    name: 'ratio-watch',
    summary: 'Judges every member by the rules: warns, watches, restricts and lifts.',
    schedule: { everyMs: world.everyMs, jitterPercent: 5 },
    timeLimitMs: 6 * 3_600_000,
    async run({ signal, clock, progress, checkpoint, fenced }) {
      const from = await checkpoint.load();
      refuseBehind(await world.recordsBehind());
      const rules = await world.rules();
      const judging = { ...world, strategy: makeStrategy(rules), settings: rules };
      const total = await world.members.count();
      const counts: Record<string, number> = { judged: 0 };
      for (let after = typeof from === 'number' ? from : 0; ; ) {
        const page = await world.members.page(after, PAGE_MEMBERS);
        signal.throwIfAborted();
        const last = page.at(-1);
        if (last === undefined) break;
        const made = await checkStandings(judging, page, {
          nowMs: clock.nowMs(),
          fenced: (transaction: Transaction<StandingTables>) => fenced(transaction),
        });
        for (const { transition } of made) {
          counts[transition.to.state] = (counts[transition.to.state] ?? 0) + 1;
        }
        counts['judged'] = (counts['judged'] ?? 0) + page.length;
        after = last.memberId;
        await checkpoint.save(after);
        progress(counts['judged'] ?? 0, total, 'members');
      }
      await checkpoint.save(undefined);
      return { summary: 'Every member is judged.', counts };
    },
  };
}
