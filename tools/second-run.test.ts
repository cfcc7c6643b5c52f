import assert from 'node:assert/strict';
import test from 'node:test';
import { ROOT } from './child-process.ts';
import { settleFailed, UNSTEADY_MAX } from './second-run.ts';
import type { TestOutcome } from './test-group.ts';
import type { GroupResult, TestGroup } from './test-runner.ts';

function resultOf(name: string, outcome: TestOutcome['outcome']): GroupResult {
  const group: TestGroup = { name, files: [name], msMax: 1, testMsMax: 1 };
  const one: TestOutcome = {
    kind: 'outcome',
    file: `${ROOT}${name}`,
    name: 'it',
    outcome,
    reason: 'no',
    ms: 1,
  };
  return { group, outcomes: [one], output: '', ms: 1 };
}

test('what fails twice has failed, what passes alone is told as unsteady', async () => {
  const first = [resultOf('always.ts', 'failed'), resultOf('once.ts', 'failed')];
  const settled = await settleFailed(first, async ({ name }) =>
    resultOf(name, name === 'once.ts' ? 'passed' : 'failed'),
  );
  assert.deepEqual(
    settled.results.map(({ outcomes }) => outcomes[0]?.outcome),
    ['failed', 'passed'],
  );
  assert.deepEqual(settled.unsteady, [{ where: 'once.ts: it', reason: 'no' }]);
});

test('more failures than an accident makes are not run again', async () => {
  const first = Array.from({ length: UNSTEADY_MAX + 1 }, (_, at) => resultOf(`${at}.ts`, 'failed'));
  let runs = 0;
  const settled = await settleFailed(first, async ({ name }) => {
    runs++;
    return resultOf(name, 'passed');
  });
  assert.deepEqual([runs, settled.results, settled.unsteady], [0, first, []]);
});
