// The published package: built, packed and unpacked where npm would put it, it runs as JavaScript
// with the Node that npm brings beside it.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ROOT } from './child-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-package-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function run(program: string, ...words: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, words, { cwd: folder, encoding: 'utf8' });
  assert.equal(status, 0, `${words.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

/** npm's layout: the package and what it depends on lie side by side. */
function unpackBesideItsDependencies(tarball: string): string {
  const modules = join(folder, 'node_modules');
  const own = join(modules, 'swarmkeep');
  mkdirSync(own, { recursive: true });
  execFileSync('tar', ['-xzf', tarball, '-C', own, '--strip-components=1']);
  for (const name of readdirSync(join(ROOT, 'node_modules'))) {
    if (!name.startsWith('.')) symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  }
  return own;
}

/** A checkout of its own: what is built there is in nobody's way. */
function checkout(): string {
  const copy = join(folder, 'checkout');
  const left = new Set(['.git', '.tmp', 'coverage', 'data', 'dist', 'node_modules']);
  mkdirSync(copy);
  for (const name of readdirSync(ROOT)) {
    if (!left.has(name)) cpSync(join(ROOT, name), join(copy, name), { recursive: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

test('the packed program runs without the sources', () => {
  const source = checkout();
  run(process.execPath, '-C', 'swarmkeep-src', join(source, 'tools/build.ts'));
  const pack = ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder, source];
  const tarball = run('npm', ...pack).trim();
  const own = unpackBesideItsDependencies(join(folder, tarball));
  assert.ok(!existsSync(join(own, 'src')));
  const program = join(own, 'bin/swarmkeep');
  const data = join(folder, 'data');
  assert.match(run(program, '--version'), /^\d+\.\d+\.\d+\n$/);
  const added = run(program, 'member', 'add', 'ada', '--data', data, '--json');
  assert.equal((JSON.parse(added) as { name: string }).name, 'ada');
  assert.match(run(program, 'ledger', 'audit', '--data', data, '--json'), /"differences":\[\]/);
});
