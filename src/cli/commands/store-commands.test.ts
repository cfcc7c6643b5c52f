import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readSegments } from './store-commands.ts';

test('what has no end is not put: a pipe, a device, a file that grows', () => {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-store-put-'));
  try {
    const pipe = join(folder, 'pipe');
    assert.equal(spawnSync('mkfifo', [pipe]).status, 0);
    for (const path of [pipe, '/dev/zero']) {
      assert.throws(() => readSegments(path).next(), {
        code: 'CLI_USAGE',
        message: /pipe or a device/,
      });
    }
    const growing = join(folder, 'growing');
    writeFileSync(growing, new Uint8Array(17 * 1024 * 1024));
    const put = (): void => {
      for (const { offset } of readSegments(growing)) {
        if (offset === 0) appendFileSync(growing, new Uint8Array(8 * 1024 * 1024));
      }
    };
    assert.throws(put, { code: 'CLI_REFUSED', message: /has grown/ });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
