import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadAddon } from '#net/addon.ts';
import { findOrBuildAddon } from './addon-build.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Quicker to compile. */
const FLAGS = ['-O0'];
const built = findOrBuildAddon();
const skip = 'why' in built ? `no addon here: ${built.why}` : false;

describe('building the addon', { skip }, () => {
  let nativeFolder = '';

  beforeEach(() => {
    nativeFolder = mkdtempSync(join(tmpdir(), 'swarmkeep-native-'));
    for (const name of readdirSync(join(ROOT, 'native'))) {
      if (/\.[ch]$/.test(name)) cpSync(join(ROOT, 'native', name), join(nativeFolder, name));
    }
  });
  afterEach(() => rmSync(nativeFolder, { recursive: true, force: true }));

  test('makes a binary that loads, once for the same sources', () => {
    const first = findOrBuildAddon({ flags: FLAGS, nativeFolder });
    assert.ok('path' in first);
    assert.ok('addon' in loadAddon(first));
    // Found, so that no compiler is asked any more.
    assert.deepEqual(
      findOrBuildAddon({ flags: FLAGS, nativeFolder, compiler: 'no-such-compiler' }),
      first,
    );
    assert.equal(readdirSync(join(nativeFolder, 'build')).length, 1);
  });

  test('a changed source makes another binary', () => {
    const first = findOrBuildAddon({ flags: FLAGS, nativeFolder });
    writeFileSync(join(nativeFolder, 'more.c'), 'int swarmkeep_more;\n');
    const second = findOrBuildAddon({ flags: FLAGS, nativeFolder });
    assert.ok('path' in first && 'path' in second);
    assert.notEqual(first.path, second.path);
  });

  test('processes that build at the same time all have a whole binary', async () => {
    const code = `
      import { findOrBuildAddon } from '#cli/addon-build.ts';
      import { loadAddon } from '#net/addon.ts';
      const place = findOrBuildAddon({ flags: ['-O0'], nativeFolder: ${JSON.stringify(nativeFolder)} });
      process.exit('addon' in loadAddon(place) ? 0 : 1);`;
    const exits = Array.from({ length: 3 }, () => {
      const args = ['-C', 'swarmkeep-src', '--input-type=module', '-e', code];
      const child = spawn(process.execPath, args, { cwd: ROOT, stdio: 'ignore' });
      return new Promise((resolve) => child.once('exit', resolve));
    });
    assert.deepEqual(await Promise.all(exits), [0, 0, 0]);
    assert.equal(readdirSync(join(nativeFolder, 'build')).length, 1);
  });

  test('a folder that cannot be written is passed over for the next', () => {
    writeFileSync(join(nativeFolder, 'build'), 'a file where a folder should be');
    const aside = join(nativeFolder, 'aside');
    const place = findOrBuildAddon({ flags: FLAGS, nativeFolder, folders: [aside] });
    assert.ok('path' in place && place.path.startsWith(aside));
    const nowhere = findOrBuildAddon({ flags: FLAGS, nativeFolder });
    assert.ok('why' in nowhere && nowhere.why !== '');
  });

  test('what is missing is said in words, and nothing is left behind', () => {
    const noCompiler = findOrBuildAddon({
      flags: FLAGS,
      nativeFolder,
      compiler: 'no-such-compiler',
    });
    assert.ok('why' in noCompiler && noCompiler.why.startsWith('no C compiler'));
    writeFileSync(join(nativeFolder, 'wrong.c'), 'this is no C\n');
    const noCode = findOrBuildAddon({ flags: FLAGS, nativeFolder });
    assert.ok('why' in noCode && /^cc failed: .*wrong\.c.*error/.test(noCode.why));
    assert.deepEqual(readdirSync(join(nativeFolder, 'build')), []);
    const noSources = findOrBuildAddon({
      flags: FLAGS,
      nativeFolder: join(nativeFolder, 'nowhere'),
    });
    assert.deepEqual(noSources, { why: 'native/ is not there' });
  });
});
