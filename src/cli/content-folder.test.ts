import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { readContentFolder } from './content-folder.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'swarmkeep-content-'));
});

afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

test('a name that is no UTF-8 is told in words, and one with a mark of its own is a name', async (t) => {
  mkdirSync(join(root, 'set'));
  writeFileSync(join(root, 'set', 'what\ufffd'), '1');
  const folder = await readContentFolder(join(root, 'set'));
  assert.deepEqual(
    folder.files.map(({ path }) => path),
    [['what\ufffd']],
  );
  try {
    writeFileSync(Buffer.concat([Buffer.from(`${root}/set/caf`), Buffer.from([0xe9])]), '2');
  } catch {
    return t.skip('this file system takes no such name');
  }
  await assert.rejects(readContentFolder(join(root, 'set')), {
    code: 'CLI_REFUSED',
    message: /caf.* is no UTF-8 on the disk, .*rename it/,
  });
});
