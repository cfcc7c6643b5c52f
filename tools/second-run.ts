// What failed among others is run once more, alone (docs/decisions/0032). What fails again has failed. What
// then passes is unsteady: the run passes, and says it where nobody overlooks it.

import { relative } from 'node:path';
import { ROOT } from './child-process.ts';
import type { Failure } from './failure-text.ts';
import type { GroupResult, TestGroup } from './test-runner.ts';

/** More than these are no accident: all of them have failed, and none is run again. */
export const UNSTEADY_MAX = 2;

export interface Settled {
  /** Of each group the result that counts. */
  readonly results: readonly GroupResult[];
  /** What failed in the first run of groups that passed the second. */
  readonly unsteady: readonly Failure[];
}

export function hasFailed(result: GroupResult): boolean {
  return result.outcomes.some((one) => one.outcome === 'failed');
}

/** `run` is called for one group at a time. */
export async function settleFailed(
  failed: readonly GroupResult[],
  run: (group: TestGroup) => Promise<GroupResult>,
): Promise<Settled> {
  if (failed.length > UNSTEADY_MAX) return { results: failed, unsteady: [] };
  const results: GroupResult[] = [];
  const unsteady: Failure[] = [];
  for (const first of failed) {
    const second = await run(first.group);
    results.push(second);
    if (!hasFailed(second)) unsteady.push(...failuresOf(first));
  }
  return { results, unsteady };
}

export function failuresOf(result: GroupResult): Failure[] {
  return result.outcomes
    .filter((one) => one.outcome === 'failed')
    .map(({ file, name, reason }) => ({ where: `${relative(ROOT, file)}: ${name}`, reason }));
}
