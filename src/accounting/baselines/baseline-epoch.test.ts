import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SystemDisk } from '#base/disk.ts';
import { enterBaselineEpoch } from './baseline-epoch.ts';
import { encodeBaselineHeader } from './baseline-file.ts';
import { BaselineReader } from './baseline-reader.ts';

test('a snapshot of baselines enters the epoch of the restored log, and one of another log stays', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-baseline-epoch-'));
  const path = join(folder, 'baselines-00000001.snapshot');
  const disk = new SystemDisk();
  const header = { logId: 'ab'.repeat(16), epoch: 3, nextOffset: 77, madeAtMs: 5, entries: 0 };
  try {
    writeFileSync(path, encodeBaselineHeader(header));
    const to = { logId: header.logId, before: 3, epoch: 1_800_000_000 };
    for (const other of [{ logId: 'cd'.repeat(16) }, { before: 2 }]) {
      await enterBaselineEpoch(disk, path, { ...to, ...other });
      assert.deepEqual(new Uint8Array(readFileSync(path)), encodeBaselineHeader(header));
    }
    await enterBaselineEpoch(disk, path, to);
    const reader = await BaselineReader.open(disk, path);
    assert.deepEqual(reader.header, { ...header, epoch: 1_800_000_000 });
    await reader.retire();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
