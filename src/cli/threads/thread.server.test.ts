// The server's threads under what people give Node itself.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
/** Node refuses all but the last for one thread alone. */
const FLAGS = ['--max-old-space-size=1500', '--expose-gc', '--title=tracker', '--no-warnings'];

test('the server starts and ends in order with flags of the whole process on Node’s command line', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-flags-'));
  const settings = ['site.port=0', 'tracker.port=0'].flatMap((one) => ['--set', one]);
  const words = [MAIN, 'serve', '--data', join(folder, 'data'), ...settings];
  const child = spawn(process.execPath, ['-C', 'swarmkeep-src', ...FLAGS, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  let output = '';
  try {
    const isUp = new Promise<void>((resolve) => {
      const hear = (part: Buffer): void => {
        output += part.toString('utf8');
        if (output.includes('site: http://')) resolve();
      };
      child.stdout.on('data', hear);
      child.stderr.on('data', hear);
    });
    await Promise.race([isUp, exited]);
    assert.match(output, /site: http:\/\//);
    child.kill('SIGTERM');
    assert.deepEqual(await exited, [0, null], output);
  } finally {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
});
