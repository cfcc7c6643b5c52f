import assert from 'node:assert/strict';
import { chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SeededRandom } from '#base/random.ts';
import { DataFolder, serverAddress } from './data-folder.ts';

test('a server is asked on a socket of its own user alone, and on none that is gone', (context) => {
  const path = mkdtempSync(join(tmpdir(), 'swarmkeep-folder-'));
  const folder = DataFolder.take(path);
  context.after(() => {
    folder.release();
    rmSync(path, { recursive: true, force: true });
  });
  const socketPath = join(path, 'control.sock');
  folder.announceServer({ pid: 7, socketPath });
  assert.equal(serverAddress(path), undefined, 'nothing is there');
  writeFileSync(socketPath, '');
  assert.deepEqual(serverAddress(path), { pid: 7, socketPath });
  // Only root may give a file to another user.
  if (process.getuid?.() !== 0) return;
  chownSync(socketPath, 65534, 65534);
  assert.equal(serverAddress(path), undefined, 'somebody else put it there');
});

test('a folder and its keys are for their owner alone', (context) => {
  const parent = mkdtempSync(join(tmpdir(), 'swarmkeep-folder-'));
  const path = join(parent, 'data');
  const folder = DataFolder.take(path);
  context.after(() => {
    folder.release();
    rmSync(parent, { recursive: true, force: true });
  });
  folder.makeSecrets(new SeededRandom(1, 2));
  for (const name of ['.', 'keys', 'keys/log-api', 'keys/connection-id', 'lock']) {
    assert.equal(statSync(join(path, name)).mode & 0o077, 0, name);
  }
});
