import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { OutputFile } from './output-file.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'swarmkeep-output-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('a file has its old bytes until the new ones are all there, and keeps its rights', () => {
  const path = join(folder, 'file');
  writeFileSync(path, 'before');
  chmodSync(path, 0o640);
  const file = new OutputFile(path);
  file.write(utf8('aft'));
  assert.equal(readFileSync(path, 'utf8'), 'before');
  file.write(utf8('er'));
  file.finish();
  assert.equal(readFileSync(path, 'utf8'), 'after');
  assert.equal(statSync(path).mode & 0o777, 0o640);
  assert.deepEqual(readdirSync(folder), ['file']);
});

test('what is abandoned leaves what was there, or nothing', () => {
  const path = join(folder, 'file');
  writeFileSync(path, 'before');
  for (const name of ['file', 'new']) {
    const file = new OutputFile(join(folder, name));
    file.write(utf8('half'));
    file.abandon();
  }
  assert.equal(readFileSync(path, 'utf8'), 'before');
  assert.deepEqual(readdirSync(folder), ['file']);
});

test('a link is written through, a pipe gets the bytes, a folder is refused in words', () => {
  writeFileSync(join(folder, 'file'), 'before');
  symlinkSync('file', join(folder, 'link'));
  const through = new OutputFile(join(folder, 'link'));
  through.write(utf8('after'));
  through.finish();
  assert.equal(readFileSync(join(folder, 'file'), 'utf8'), 'after');
  assert.ok(lstatSync(join(folder, 'link')).isSymbolicLink());
  const nowhere = new OutputFile('/dev/null');
  nowhere.write(utf8('gone'));
  nowhere.finish();
  execFileSync('test', ['-c', '/dev/null']);
  mkdirSync(join(folder, 'inner'));
  for (const path of [folder, join(folder, 'none', 'file')]) {
    assert.throws(() => new OutputFile(path), { code: 'CLI_USAGE', message: /^Cannot write "/ });
  }
});
