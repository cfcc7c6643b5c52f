import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { utf8 } from './bytes.ts';
import { SystemDisk } from './disk.ts';

const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-disk-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const disk = new SystemDisk();

test('a file is written at a position, read back, cut and measured', async () => {
  const file = await disk.create(join(folder, 'a'));
  await file.write(utf8('world'), 6);
  await file.write(utf8('hello'), 0);
  await file.datasync();
  assert.equal(await file.sizeBytes(), 11);
  const into = new Uint8Array(20);
  assert.equal(await file.read(into, 0), 11);
  assert.deepEqual(into.subarray(0, 11), utf8('hello\0world'));
  assert.equal(await file.read(into, 11), 0);
  await file.truncate(5);
  assert.equal(await file.sizeBytes(), 5);
  await file.close();
  await file.close();
});

test('create() refuses a name that is taken, open() one that is not', async () => {
  const path = join(folder, 'b');
  await (await disk.create(path)).close();
  await assert.rejects(disk.create(path), { code: 'EEXIST' });
  await assert.rejects(disk.open(join(folder, 'absent'), { write: false }), { code: 'ENOENT' });
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('a file opened for reading cannot be written', async () => {
  const path = join(folder, 'c');
  await (await disk.create(path)).close();
  const file = await disk.open(path, { write: false });
  await assert.rejects(file.write(utf8('x'), 0), { code: 'EBADF' });
  await file.close();
});

test('names are listed in order, replaced, removed, and told apart from folders', async () => {
  const inner = join(folder, 'd', 'e');
  await disk.makeFolder(inner);
  await disk.makeFolder(inner);
  for (const name of ['z', 'B', 'a']) await (await disk.create(join(inner, name))).close();
  assert.deepEqual(await disk.list(inner), ['B', 'a', 'z']);
  await disk.rename(join(inner, 'z'), join(inner, 'a'));
  await disk.syncFolder(inner);
  assert.deepEqual(await disk.list(inner), ['B', 'a']);
  await disk.remove(join(inner, 'B'));
  assert.equal(await disk.stat(join(inner, 'B')), undefined);
  assert.equal((await disk.stat(inner))?.isFolder, true);
  assert.equal((await disk.stat(join(inner, 'a')))?.sizeBytes, 0);
  await assert.rejects(disk.list(join(folder, 'absent')), { code: 'ENOENT' });
});

test('a folder that cannot be made is an error, and not a wait without end', async () => {
  await (await disk.create(join(folder, 'file'))).close();
  await assert.rejects(disk.makeFolder(join(folder, 'file')), { code: 'EEXIST' });
  await assert.rejects(disk.makeFolder(join(folder, 'file', 'inner')), /E(?:NOTDIR|EXIST)/);
  if (existsSync('/proc/self')) await assert.rejects(disk.makeFolder('/proc/swarmkeep/inner'));
});

test('a lock is had by one at a time, and kept from others without a wait', async () => {
  const path = join(folder, 'lock');
  const lock = await disk.lock(path);
  assert.ok(lock !== undefined);
  assert.equal(await disk.lock(path), undefined);
  assert.equal(await new SystemDisk().lock(path), undefined);
  lock.release();
  lock.release();
  const again = await disk.lock(path);
  assert.ok(again !== undefined);
  again.release();
  assert.equal(statSync(path).mode & 0o777, 0o600);
  await assert.rejects(disk.lock(join(folder, 'absent', 'lock')), { code: 'ERR_SQLITE_ERROR' });
});
