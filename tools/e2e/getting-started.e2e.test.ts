// docs/getting-started.md, done by the letter: a bare clone of this repository, and in it every command of
// the page, in its order. What the page says to write in place of HASH and TOKEN is taken from what the
// commands before have printed. Only ports are other ones, by a configuration file that lies there before.
// In the same clone `npm run dev` shows what is edited.

import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ROOT } from '#tools/child-process.ts';
import { freePort, waitFor } from './server.ts';

const PAGE = join(ROOT, 'docs/getting-started.md');
const STEP_MS_MAX = 120_000;
const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-started-'));
const clone = join(folder, 'swarmkeep');
const env = { ...process.env, SWARMKEEP_NO_INSTALL: '1' };
const options = { skip: missing(), timeout: 400_000 };
let sitePort = 0;
let server: ChildProcess | undefined;
/** What the server printed. */
let said = '';

before(async () => {
  if (options.skip !== false) return;
  execFileSync('git', ['clone', '--quiet', '--depth=1', `file://${ROOT}`, clone]);
  // As `npm ci` makes it, without asking the network; the launcher installs nothing over a link.
  symlinkSync(join(ROOT, 'node_modules'), join(clone, 'node_modules'));
  sitePort = await freePort();
  mkdirSync(join(clone, 'data'));
  const settings = `[site]\nport = ${sitePort}\n[tracker]\nport = ${await freePort()}\n`;
  writeFileSync(join(clone, 'data/swarmkeep.toml'), settings);
});

after(async () => {
  await stop();
  rmSync(folder, { recursive: true, force: true });
});

/** `npm …` in the clone, until the site answers. */
async function start(...words: readonly string[]): Promise<void> {
  said = '';
  const child = spawn('npm', words, { cwd: clone, env, detached: true });
  server = child;
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (part: Buffer) => {
      said += part.toString('utf8');
    });
  }
  await waitFor('the server to listen', STEP_MS_MAX, () => {
    assert.equal(child.exitCode, null, said);
    return said.includes('site: http') ? true : undefined;
  });
}

/** npm, and whatever it has started. */
async function stop(): Promise<void> {
  const child = server;
  server = undefined;
  if (child?.pid === undefined || child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  process.kill(-child.pid, 'SIGTERM');
  await ended;
}

/** The blocks of commands, in their order. */
function blocksOf(text: string): string[] {
  return [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block.trim());
}

function missing(): string | false {
  if (!existsSync(join(ROOT, '.git'))) return 'this is no clone';
  for (const program of ['git', 'npm', 'aria2c', 'curl']) {
    if (spawnSync('which', [program]).status !== 0) return `${program} is not installed`;
  }
  return false;
}

test('every command of the page leads from a bare clone to a seeded torrent', options, async () => {
  const [first, ...blocks] = blocksOf(readFileSync(PAGE, 'utf8'));
  assert.equal(first, 'npm start');
  await start('start');
  assert.match(said, /first run: http/);
  let printed = '';
  for (const block of blocks) {
    const hash = /\b[0-9a-f]{40}\b/.exec(printed)?.[0];
    const token = /^[A-Za-z0-9_-]{43}$/m.exec(printed)?.[0];
    const typed = block
      .replaceAll('HASH', hash ?? 'HASH')
      .replaceAll('TOKEN', token ?? 'TOKEN')
      .replaceAll('127.0.0.1:8080', `127.0.0.1:${sitePort}`);
    const run = spawnSync('sh', ['-e', '-c', typed], {
      ...{ cwd: clone, env, encoding: 'utf8', timeout: STEP_MS_MAX },
    });
    const what = `${typed}\n${run.stdout}${run.stderr}\n${said.slice(-2000)}`;
    assert.equal(run.status, 0, what);
    printed += run.stdout;
    if (block.includes('diff -r')) assert.doesNotMatch(run.stdout, /^(Only in|diff )/m, what);
    if (block.includes('curl')) assert.match(run.stdout, /"title":"survey"/, what);
  }
  await stop();
});

test('`npm run dev` shows pages and styles as they are edited', options, async () => {
  await start('run', 'dev');
  const page = async (): Promise<string> => {
    const answer = await fetch(`http://127.0.0.1:${sitePort}/sign-in`).catch(() => undefined);
    return (await answer?.text()) ?? '';
  };
  const styleOf = (text: string) => /href="(\/assets\/[^"]+\.css)"/.exec(text)?.[1] ?? '';
  const before = styleOf(await page());
  assert.notEqual(before, '');
  edit('src/site/style/base.ts', '`', '`.edited { color: red }\n');
  edit('src/site/components/layout.ts', 'Runs on Swarmkeep', 'Runs on Swarmkeep, edited');
  const text = await waitFor('the edited page', STEP_MS_MAX, async () => {
    const found = await page();
    const isNew = found.includes('Runs on Swarmkeep, edited') && styleOf(found) !== before;
    return isNew ? found : undefined;
  });
  const style = await fetch(`http://127.0.0.1:${sitePort}${styleOf(text)}`);
  assert.match(await style.text(), /\.edited/);
  await stop();
});

function edit(path: string, from: string, to: string): void {
  const text = readFileSync(join(clone, path), 'utf8');
  assert.ok(text.includes(from), path);
  writeFileSync(join(clone, path), text.replace(from, to));
}

test('the page opens with what Node and TypeScript are, and its links lead to files', () => {
  const text = readFileSync(PAGE, 'utf8');
  const [, paragraph = ''] = text.split('\n\n');
  assert.match(paragraph, /TypeScript/);
  assert.match(paragraph, /Node is /);
  for (const [, target = ''] of text.matchAll(/\]\(([^)]+)\)/g)) {
    if (target.startsWith('http')) continue;
    assert.ok(existsSync(join(ROOT, 'docs', target)), target);
  }
});
