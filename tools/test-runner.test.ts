import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, test } from 'node:test';
import { ROOT } from './child-process.ts';
import { fileLines, type GroupResult, runGroup } from './test-runner.ts';

const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-runner-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs one file with these tests in it. */
function runFile(body: string, msMax = 30_000): Promise<GroupResult> {
  const path = join(folder, `${String(made++)}.test.mjs`);
  writeFileSync(path, `import { describe, test } from 'node:test';\n${body}`);
  const group = { name: 'planted', files: [relative(ROOT, path)], msMax, testMsMax: 10_000 };
  // The planted process measures nothing, and is told so.
  return runGroup(group, { NODE_V8_COVERAGE: '' });
}

let made = 0;

function outcomesOf(result: GroupResult): string[] {
  return result.outcomes.map((one) => `${one.name}: ${one.outcome}`);
}

test('what passed, failed and was skipped is told once each, with the reason', async () => {
  const result = await runFile(`
    test('good', () => {});
    test('bad', () => { throw new Error('broken here'); });
    test('left out', { skip: 'no such program' }, () => {});
    describe('suite', () => { test('inner', () => {}); });
    test('parent', async (t) => { await t.test('child', () => { throw new Error('child'); }); });
  `);
  assert.deepEqual(outcomesOf(result), [
    'good: passed',
    'bad: failed',
    'left out: skipped',
    'inner: passed',
    'child: failed',
  ]);
  assert.match(result.outcomes[1]?.reason ?? '', /broken here/);
  assert.equal(result.outcomes[2]?.reason, 'no such program');
  assert.match(fileLines(result)[0] ?? '', /^FAIL .*0\.test\.mjs \(5 tests, 2 failed, 1 skipped, /);
});

test('a file that cannot be loaded is a failure', async () => {
  const { outcomes } = await runFile("throw new Error('at load');");
  assert.equal(
    outcomes.some((one) => one.outcome === 'failed'),
    true,
  );
});

test('a process that ends in the middle is a failure that names the running test', async () => {
  for (const end of [
    'process.exit(3)',
    'process.exit(0)',
    "process.kill(process.pid, 'SIGKILL')",
  ]) {
    const result = await runFile(`test('ends all', () => { ${end}; }); test('next', () => {});`);
    const failed = result.outcomes.find((one) => one.outcome === 'failed');
    assert.match(failed?.reason ?? '', /ends all/, end);
  }
});

test('a process that does not end is killed and is a failure', async () => {
  const result = await runFile(
    "test('waits', () => new Promise(() => setInterval(() => {}, 9)));",
    // Enough that the test has begun on a busy machine too.
    8000,
  );
  assert.match(result.outcomes[0]?.reason ?? '', /It did not end in 8 s.*waits/);
});
