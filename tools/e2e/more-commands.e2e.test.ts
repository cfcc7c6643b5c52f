// The commands that no other end-to-end test has a story for, each against a running server.

import { strict as assert } from 'node:assert';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { smallTorrent } from './content.ts';
import { runProgram, TestServer } from './server.ts';

const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-commands-'));
let server: TestServer;

before(async () => {
  server = await TestServer.prepare({
    settings: {
      'store.stack': 'shard(packed, directory)',
      'site.smtpUrl': 'smtp://planted-mailer@127.0.0.1:9',
    },
  });
  await server.start();
});

after(async () => {
  await server?.remove();
  rmSync(folder, { recursive: true, force: true });
});

test('store: blobs are pinned and let go, shards are filled evenly, failures told and acknowledged', async () => {
  const path = join(folder, 'notes.txt');
  writeFileSync(path, 'some notes');
  const [put] = await server.json<{ ref: string }>(['store', 'put', path]);
  const ref = put?.ref ?? '';
  assert.match(ref, /^sha256-/);
  const pinned = async (): Promise<number> => (await server.json(['store', 'pins'])).length;
  assert.equal(await pinned(), 1, 'what is put by hand is pinned');
  await server.json(['store', 'unpin', ref]);
  assert.equal(await pinned(), 0);
  await server.json(['store', 'pin', ref]);
  assert.equal(await pinned(), 1);
  await server.json(['store', 'rebalance']);
  assert.equal((await server.json(['store', 'ls'])).length, 1);
  assert.deepEqual(await server.json(['store', 'failures']), []);
  assert.equal((await server.command(['store', 'ack', '--all'])).exitCode, 0);
  assert.equal((await server.command(['store', 'verify'])).exitCode, 0);
  await server.end('SIGTERM');
  // As when its disk was not mounted: nothing that is there is wrong, and what is pinned is not there.
  const elsewhere = ['--set', `store.stack=packed(${join(folder, 'empty')})`];
  const empty = await server.command(['store', 'verify', ...elsewhere]);
  assert.equal(empty.exitCode, 1, empty.stdout);
  assert.match(empty.stdout, new RegExp(`missing: ${ref}`));
  await server.start();
});

test('store remote: far stores are remembered in the per-user place, their tokens not shown', async () => {
  const env = { ...process.env, HOME: folder, XDG_CONFIG_HOME: join(folder, 'config') };
  const remote = (words: readonly string[]) => runProgram(['store', 'remote', ...words], '', env);
  const url = 'https://archive.example.org/';
  const token = join(folder, 'token');
  writeFileSync(token, 'a-secret-token\n', { mode: 0o600 });
  const added = await remote(['add', 'far', url, '--token-file', token]);
  assert.equal(added.exitCode, 0, added.stderr);
  const listed = await remote(['list', '--json']);
  assert.match(listed.stdout, /archive\.example\.org/);
  assert.doesNotMatch(listed.stdout, /a-secret-token/);
  assert.equal((await remote(['rm', 'far'])).exitCode, 0);
  assert.doesNotMatch((await remote(['list', '--json'])).stdout, /archive\.example\.org/);
});

test('archive: content is put, told of, and let go', async () => {
  const path = join(folder, 'data.bin');
  writeFileSync(path, Buffer.alloc(300_000, 7));
  const [made] = await server.json<{ infoHash: string }>(['put', path]);
  const infoHash = made?.infoHash ?? '';
  const [kept] = await server.json<{ files: number; bytes: number }>(['archive', 'stats']);
  assert.deepEqual([kept?.files, kept?.bytes], [1, 300_000]);
  assert.equal((await server.command(['torrent', 'unkeep', infoHash])).exitCode, 0);
  const [left] = await server.json<{ files: number }>(['archive', 'stats']);
  assert.equal(left?.files, 0);
  assert.equal((await server.command(['torrent', 'unkeep', infoHash])).exitCode, 1);
});

test('members: tokens are given, freeleech is listed, one is protected, exported and erased', async () => {
  await server.json(['member', 'add', 'mina']);
  const file = join(folder, 'one.torrent');
  writeFileSync(file, smallTorrent('one'));
  await server.json(['torrent', 'add', file]);
  assert.equal((await server.command(['freeleech', 'tokens', 'mina'])).exitCode, 0);
  assert.equal((await server.command(['freeleech', 'list', '--json'])).exitCode, 0);
  assert.equal((await server.command(['member', 'protect', 'mina'])).exitCode, 0);
  const document = join(folder, 'mina.json');
  const exported = await server.command(['member', 'export', 'mina', '-o', document]);
  assert.equal(exported.exitCode, 0, exported.stderr);
  assert.match(JSON.stringify(JSON.parse(readFileSync(document, 'utf8'))), /"mina"/);
  assert.equal((await server.command(['member', 'erase', 'mina', '--yes'])).exitCode, 0);
  assert.equal((await server.command(['member', 'show', 'mina'])).exitCode, 1);
});

test('logging: a module says more at run time, until the server ends, and each line names its place', async () => {
  const [shown] = await server.json<{ level: string; modules: { module: string }[] }>([
    ...['logging', 'show'],
  ]);
  assert.equal(shown?.level, 'info');
  const modules = shown?.modules.map(({ module }) => module) ?? [];
  for (const module of ['site', 'log', 'tracker/net', 'jobs/expire']) {
    assert.ok(modules.includes(module) || module.startsWith('jobs/'), `${module} of ${modules}`);
  }
  type Levels = { level: string; set: Record<string, string>; modules: { level: string }[] };
  const [set] = await server.json<Levels>(['logging', 'set', 'tracker', 'debug']);
  assert.deepEqual(set?.set, { tracker: 'debug' });
  const [all] = await server.json<Levels>(['logging', 'set', 'error']);
  assert.equal(all?.level, 'error');
  assert.ok(
    all?.modules.some(({ level }) => level === 'debug'),
    'one has its own level still',
  );
  assert.equal((await server.command(['logging', 'set', 'trackr', 'debug'])).exitCode, 1);
  const changed = server.output.split('\n').filter((line) => line.includes('levels of the log'));
  assert.equal(changed.length, 2, changed.join('\n'));
  const line = JSON.parse(changed[0] ?? '') as Record<string, string>;
  assert.equal(line['module'], 'logging');
  assert.match(line['place'] ?? '', /^cli\/commands\/logging-commands\.[jt]s:\d+$/);
  assert.equal(line['to'], 'info tracker=debug');
  const [reset] = await server.json<Levels>(['logging', 'reset']);
  assert.deepEqual([reset?.level, reset?.set], ['info', {}]);
});

const bundlePath = join(folder, 'bundle.json');
/** What no bundle may hold, collected while they are made. */
const secrets: string[] = ['planted-', 'secretive-member', '203.0.113.77'];

function readBundle(): Record<string, Record<string, unknown>> {
  const text = readFileSync(bundlePath, 'utf8');
  for (const secret of secrets) assert.ok(!text.includes(secret), secret);
  assert.equal(statSync(bundlePath).mode & 0o077, 0, 'for its owner alone');
  return JSON.parse(text) as Record<string, Record<string, unknown>>;
}

test('support: the bundle of a running server tells of everything but secrets and members', async () => {
  const [member] = await server.json<{ passkey: string; password: string }>([
    ...['member', 'add', 'secretive-member'],
  ]);
  const { passkey = '?', password = '?' } = member ?? {};
  const keys = join(server.dataFolder, 'keys');
  const files = readdirSync(keys).map((name) => readFileSync(join(keys, name)));
  secrets.push(passkey, password);
  secrets.push(...files.flatMap((key) => [key.toString('hex'), key.toString('base64')]));
  const announce = `http://127.0.0.1:${server.trackerPort}/${passkey}/announce?info_hash=x`;
  await (await fetch(announce)).arrayBuffer();
  const asked = await fetch(`${server.siteUrl}/sign-in?next=planted-query-word`);
  assert.match(asked.headers.get('x-request-id') ?? '', /^[0-9a-f]{16}$/);
  const running = await server.command(['support', '-o', bundlePath]);
  assert.equal(running.exitCode, 0, running.stderr);
  assert.match(running.stdout, /metrics +\d+ bytes/);
  const bundle = readBundle();
  assert.equal(bundle['about']?.['serverRuns'], true);
  for (const [name, section] of Object.entries(bundle)) {
    assert.equal(section['failed'], undefined, `${name} was made`);
  }
  assert.ok(JSON.stringify(bundle['metrics']).includes('swarmkeep_site_requests_total'));
  assert.ok(JSON.stringify(bundle['log']).includes('the tracker serves'), 'of another thread');
  const settings = bundle['settings'] as { values: Record<string, Record<string, unknown>> };
  assert.equal(settings.values['site']?.['smtpUrl'], 'set');
});

test('log repair refuses while the server runs, and mends a rotten byte without it', async () => {
  const busy = await server.command(['log', 'repair']);
  assert.equal(busy.exitCode, 1);
  assert.match(busy.stderr, /CLI_DATA_LOCKED/);
  await server.end('SIGTERM');
  assert.equal((await server.command(['log', 'repair'])).exitCode, 0);
  assert.equal((await server.command(['log', 'verify'])).exitCode, 0);
});

test('support works while the server is down, and when its settings cannot be read', async () => {
  const planted = [
    { level: 'error', msg: 'Cannot ask http://u:planted-pw@tracker.example.org/planted-key/x' },
    { level: 'info', msg: 'from 203.0.113.77', member: 'secretive-member', token: 'planted-token' },
    { level: 'info', msg: `said ${secrets[3]}`, error: 'password=planted-word' },
  ];
  const logFile = join(folder, 'server.log');
  const lines = ['plain password=planted-plain', ...planted.map((one) => JSON.stringify(one))];
  writeFileSync(logFile, `${lines.join('\n')}\n`);
  const words = ['support', '-o', bundlePath, '--log-file', logFile];
  assert.equal((await server.command(words)).exitCode, 0);
  const down = readBundle();
  assert.equal(down['about']?.['serverRuns'], false);
  assert.equal(JSON.stringify(down['log']).match(/"msg"/g)?.length, planted.length);
  assert.ok(Array.isArray(down['topics']) && down['topics'].length > 0);
  const settings = '[sql]\nurl = "postgres://keep:planted-pw@db/x"\nspeed = "fast"\n';
  writeFileSync(join(server.dataFolder, 'swarmkeep.toml'), settings);
  assert.equal((await server.command(words)).exitCode, 0);
  assert.match(String(readBundle()['rooms']?.['why']), /There is no setting/);
});

test('demo serves a community until it is told to stop', async () => {
  const { spawn } = await import('node:child_process');
  const { PROGRAM, freePort, waitFor } = await import('./server.ts');
  const [site, tracker] = [await freePort(), await freePort()];
  const child = spawn(PROGRAM, [
    ...['demo', '--data', join(folder, 'demo')],
    ...['--set', `site.port=${site}`, '--set', `tracker.port=${tracker}`],
  ]);
  child.stdout.resume();
  child.stderr.resume();
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  try {
    await waitFor('the demo to answer', 60_000, async () => {
      const answer = await fetch(`http://127.0.0.1:${site}/sign-in`).catch(() => undefined);
      return answer?.status === 200 ? true : undefined;
    });
  } finally {
    child.kill('SIGTERM');
  }
  assert.equal(await ended, 0);
});
