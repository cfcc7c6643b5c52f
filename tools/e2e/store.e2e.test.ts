// The store as an operator meets it: every command against a running server, and a kill in between.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { after, before, test } from 'node:test';
import { TestServer, waitFor } from './server.ts';
import { SiteVisitor } from './site-visitor.ts';

const PASSWORD = 'tortoise lamp river\n';

interface Shown {
  readonly ref: string;
  readonly bytes: number;
  readonly new: boolean;
}

let server: TestServer;
let root: string;
const file = (name: string) => join(root, name);

before(async () => {
  server = await TestServer.prepare();
  root = mkdtempSync(join(tmpdir(), 'swarmkeep-e2e-store-'));
  await server.start();
});

after(async () => {
  await server.remove();
  rmSync(root, { recursive: true, force: true });
});

test('blobs are put, listed, found, given and removed, and outlive a kill', async () => {
  for (const [name, size] of [
    ['small', 10],
    ['large', 16 * 1024 * 1024],
  ] as const) {
    writeFileSync(file(name), Buffer.alloc(size, name));
  }
  const put = [
    ...(await server.json<Shown>(['store', 'put', file('small')])),
    ...(await server.json<Shown>(['store', 'put', file('large')])),
  ];
  assert.deepEqual(
    put.map((one) => one.new),
    [true, true],
  );
  const [again] = await server.json<Shown>(['store', 'put', file('small')]);
  assert.equal(again?.new, false);
  await server.end('SIGKILL');
  await server.start();
  const listed = await server.json<Shown>(['store', 'ls']);
  assert.deepEqual(
    listed.map(({ ref }) => ref),
    put.map(({ ref }) => ref).sort(),
  );
  assert.equal((await server.json(['store', 'ls', '--limit', '1'])).length, 1);
  const after = await server.json<Shown>(['store', 'ls', '--after', listed[0]!.ref]);
  assert.deepEqual(
    after.map(({ ref }) => ref),
    [listed[1]!.ref],
  );
  const large = put[1]!.ref;
  await server.json(['store', 'get', large, '-o', file('got')]);
  assert.ok(readFileSync(file('got')).equals(readFileSync(file('large'))));
  const shown = await server.command(['store', 'get', put[0]!.ref]);
  assert.equal(shown.stdout, readFileSync(file('small'), 'utf8'));
  assert.deepEqual(await server.json(['store', 'rm', large]), [{ removed: 1 }]);
  const gone = await server.command(['store', 'stat', large, put[0]!.ref]);
  assert.deepEqual([gone.exitCode, gone.stdout.includes('missing')], [1, true]);
  const [compacted] = await server.json<{ packs: number }>(['store', 'compact']);
  assert.equal(compacted?.packs, 0, 'the pack that is written to stays');
});

test('what cannot be a blob, or is none, is refused in words', async () => {
  for (const [words, said] of [
    [['put', root], /it is a folder/],
    [['put', file('nothing')], /Cannot read .*ENOENT/],
    [['get', 'sha256-xyz'], /is no blob's name/],
    [['ls', '--limit', 'many'], /no whole number/],
    [['sync', 'current', 'current'], /the same store/],
    [['sync', 'current', 'replica(packed, directory)'], /in use/],
    [['sync', 'current', 'nowhere'], /is no store/],
    [['sync', 'current', 's3'], /no endpoint is set \(s3\.endpoint\)/],
    [['sync', 'current', 'packed(/etc/passwd)'], /it is a file, not a folder/],
    [['rebuild'], /nothing needs to be rebuilt/],
    [['reencrypt'], /Nothing in store.stack encrypts/],
    [['keys', 'rotate', file('nothing')], /Cannot read/],
  ] as const) {
    const { exitCode, stderr } = await server.command(['store', ...words]);
    assert.ok(exitCode === 1 || exitCode === 2, words.join(' '));
    assert.match(stderr, said);
  }
});

test('a file of any size is put as blobs and comes back, by the server and without it', async () => {
  const bytes = Buffer.alloc(50 * 1024 * 1024 + 3);
  for (let at = 0; at + 4 < bytes.byteLength; at += 4096) bytes.writeUInt32LE(at, at);
  writeFileSync(file('huge'), bytes);
  const put = await server.json<Shown & { offset: number }>(['store', 'put', file('huge')]);
  assert.deepEqual(
    put.map(({ offset }) => offset),
    Array.from({ length: 13 }, (_, nth) => nth * 4 * 1024 * 1024),
  );
  const refs = put.map(({ ref }) => ref);
  await server.json(['store', 'get', ...refs, '-o', file('huge again')]);
  assert.ok(readFileSync(file('huge again')).equals(bytes));
  await server.end('SIGTERM');
  const again = await server.json<Shown>(['store', 'put', file('huge')]);
  assert.ok(again.every((one) => !one.new));
  await server.json(['store', 'get', ...refs, '-o', file('huge again')]);
  assert.ok(readFileSync(file('huge again')).equals(bytes));
  const gone = await server.json<{ removed: number }>(['store', 'rm', ...refs]);
  assert.equal(gone[0]?.removed, 13);
  await server.start();
});

test('a store is migrated while it serves; a rotten copy is found, exit 1', async () => {
  const shown = await server.json<{ copied: number; to: string }>([
    ...['store', 'migrate', 'current', `directory(${file('copy')})`],
  ]);
  assert.equal(shown[0]?.copied, 1);
  const sound = await server.json<{ blobs: number }>(['store', 'verify']);
  assert.equal(sound[0]?.blobs, 1);
  const [stats] = await server.json<{ stack: string; blobs: number }>(['store', 'stats']);
  assert.deepEqual([stats?.stack, stats?.blobs], ['packed', 1]);
  const packs = join(server.dataFolder, 'store/packed');
  const pack = join(packs, (await readdir(packs))[0]!);
  await server.end('SIGKILL');
  const bytes = readFileSync(pack);
  bytes[512 + 64]! ^= 1;
  writeFileSync(pack, bytes);
  await server.start();
  const rotten = await server.command(['store', 'verify', '--json']);
  assert.equal(rotten.exitCode, 1);
  assert.match(rotten.stdout, /"corrupt":\[\{"store":"packed","ref":"sha256-/);
  const [healed] = await server.json<Shown>(['store', 'put', file('small')]);
  assert.equal(healed?.new, true);
  await server.json(['store', 'verify']);
});

test('what is removed is unpinned, by the server and without it', async () => {
  const [first, second] = await server.json<Shown>(['store', 'put', file('small'), file('large')]);
  await server.json(['store', 'rm', second!.ref]);
  const pinsOf = async () =>
    (await server.json<{ ref: string }>(['store', 'pins'])).map(({ ref }) => ref);
  assert.deepEqual(await pinsOf(), [first!.ref]);
  await server.end('SIGTERM');
  await server.json(['store', 'rm', first!.ref]);
  assert.deepEqual(await pinsOf(), []);
  await server.json(['store', 'put', file('small')]);
  await server.start();
});

test('a flipped bit in the header of the only pack is told at start, and costs no blob', async () => {
  const packs = join(server.dataFolder, 'store/packed');
  await server.end('SIGTERM');
  const pack = (await readdir(packs)).filter((name) => name.endsWith('.pack')).sort();
  assert.equal(pack.length, 1);
  const path = join(packs, pack[0]!);
  const bytes = readFileSync(path);
  bytes[20]! ^= 4;
  writeFileSync(path, bytes);
  await server.start();
  await waitFor('the server to tell it', 60_000, () =>
    /store: The header of the pack 0000000001.pack/.test(server.output) ? true : undefined,
  );
  const metrics = await (await fetch(`${server.siteUrl}/metrics`)).text();
  assert.match(metrics, /^swarmkeep_store_damaged_places 1$/m);
  const verified = await server.command(['store', 'verify']);
  assert.equal(verified.exitCode, 1);
  assert.match(verified.stdout, /1 blobs of 10 bytes are sound/);
  assert.match(verified.stdout, /damaged header: packed 0000000001.pack, bytes 0 to 512/);
  assert.match((await server.command(['doctor'])).stdout, /header of the pack 0000000001.pack/);
  await server.json(['store', 'compact']);
  await server.json(['store', 'verify']);
  assert.equal((await server.command(['store', 'stat', refOfSmall()])).exitCode, 0);
});

test('hundreds of small files are put in a few syncs, in order', async () => {
  const files = Array.from({ length: 300 }, (_, at) => file(`part-${at}`));
  for (const [at, path] of files.entries()) writeFileSync(path, Buffer.alloc(20_000, `${at},`));
  const put = await server.json<Shown & { path: string }>(['store', 'put', ...files]);
  assert.deepEqual(
    put.map(({ path }) => path),
    files,
  );
  await server.end('SIGTERM');
  const again = await server.json<Shown>(['store', 'put', ...files]);
  assert.ok(again.every((one) => !one.new));
  const verified = await server.json<{ blobs: number }>(['store', 'verify']);
  assert.equal(verified[0]?.blobs, 301);
  await server.json(['store', 'rm', ...put.map(({ ref }) => ref)]);
  await server.start();
});

function refOfSmall(): string {
  return `sha256-${createHash('sha256')
    .update(readFileSync(file('small')))
    .digest('hex')}`;
}

test('a key file is made, rotated and never given away', async () => {
  await server.json(['store', 'keys', 'new', file('keys')]);
  assert.equal(statSync(file('keys')).mode & 0o777, 0o600);
  const [rotated] = await server.json<{ keys: string[] }>([
    'store',
    'keys',
    'rotate',
    file('keys'),
  ]);
  assert.equal(rotated?.keys.length, 2);
  const withStack = (line: string): string[] => [
    ...['--set', `store.keyFile=${file('keys')}`, '--set', `store.stack=${line}`],
  ];
  const encrypted = withStack('encrypt > packed(sealed)');
  await server.end('SIGTERM');
  const over = await server.command(['store', 'stats', ...withStack('encrypt > packed')]);
  assert.equal(over.exitCode, 1);
  assert.match(over.stderr, /is no encrypted store; name another folder/);
  const [put] = await server.json<Shown>(['store', 'put', file('small'), ...encrypted]);
  const [read] = await server.json<Shown>(['store', 'stat', put!.ref, ...encrypted]);
  assert.equal(read?.bytes, 10);
  const [rebuilt] = await server.json<{ blobs: number }>(['store', 'rebuild', ...encrypted]);
  assert.equal(rebuilt?.blobs, 1);
  const config = await server.command(['config', 'print', ...encrypted]);
  const key = readFileSync(file('keys'), 'utf8').trim().split(' ').at(-1)!;
  assert.ok(!config.stdout.includes(key));
});

test('a server that has not read the rotated key file refuses to say that all is encrypted anew', async () => {
  await server.json(['store', 'keys', 'new', file('more-keys')]);
  const settings = { 'store.keyFile': file('more-keys'), 'store.stack': 'encrypt > packed' };
  const own = await TestServer.prepare({ settings });
  try {
    await own.start();
    writeFileSync(file('secret'), 'to be encrypted');
    await own.json(['store', 'put', file('secret')]);
    await own.json(['store', 'keys', 'rotate', file('more-keys')]);
    const early = await own.command(['store', 'reencrypt']);
    assert.match(early.stderr, /start it again.*CLI_REFUSED/);
    await own.end('SIGTERM');
    await own.start();
    const [done] = await own.json<{ blobs: number }>(['store', 'reencrypt']);
    assert.equal(done?.blobs, 1);
  } finally {
    await own.remove();
  }
});

test('who removes by a token is told what torrents need, and may say that it shall go all the same', async () => {
  await server.start();
  await server.command(['member', 'add', 'boss', '--role', 'admin', '--password-stdin'], PASSWORD);
  const [made] = await server.json<{ token: string }>(['store-token', 'add', 'boss']);
  writeFileSync(file('kept'), Buffer.alloc(3_000_000, 'kept '));
  await server.json(['put', file('kept')]);
  writeFileSync(file('free'), 'nobody needs this');
  const [free] = await server.json<Shown>(['store', 'put', file('free')]);
  const listed = await server.json<Shown>(['store', 'ls']);
  const needed = listed.find(({ bytes }) => bytes > 1_000_000 && bytes < 3_500_000);
  assert.ok(free !== undefined && needed !== undefined);
  const remove = async (ref: string, query = '') => {
    const headers = { authorization: `Bearer ${made?.token}` };
    const url = `${server.siteUrl}/api/store/blobs/${ref}${query}`;
    const answer = await fetch(url, { method: 'DELETE', headers });
    return { status: answer.status, text: await answer.text() };
  };
  assert.deepEqual(await remove(free.ref), { status: 200, text: '{"removed":1}\n' });
  const refused = await remove(needed.ref);
  assert.equal(refused.status, 409, refused.text);
  assert.match(refused.text, /1 of 1 blobs are needed by torrents/);
  // By WebSocket, as the command does.
  writeFileSync(file('token'), made?.token ?? '');
  const far = ['--url', server.siteUrl, '--token-file', file('token')];
  const refusal = await server.command(['store', 'rm', needed.ref, ...far]);
  assert.deepEqual([refusal.exitCode, /STORE_NEEDED/.test(refusal.stderr)], [1, true]);
  const [removed] = await server.json(['store', 'rm', needed.ref, '--force', ...far]);
  assert.deepEqual(removed, { removed: 1 });
  assert.equal((await remove(needed.ref, '?force=yes')).status, 200);
});

test('S15: a banned network gets nothing at the doors beside the pages, and what it has open ends', async () => {
  await server.start();
  await server.command(['member', 'add', 'boss', '--role', 'admin', '--password-stdin'], PASSWORD);
  const [made] = await server.json<{ token: string }>(['store-token', 'add', 'boss']);
  const headers = { authorization: `Bearer ${made?.token}` };
  const status = async (path: string, localAddress: string): Promise<number | undefined> => {
    const asked = get(server.siteUrl + path, { headers, localAddress, agent: false });
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    answer.resume();
    return answer.statusCode;
  };
  const open = async (
    localAddress: string,
  ): Promise<{ code: number | undefined; end?: Duplex }> => {
    const key = 'dGhlIHNhbXBsZSBub25jZQ==';
    const upgrade = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' };
    const asked = get(`${server.siteUrl}/api/store/socket`, {
      ...{ localAddress, agent: false },
      headers: { ...headers, ...upgrade, 'sec-websocket-key': key },
    });
    return await new Promise((resolve, reject) => {
      asked.once('upgrade', (answer, end) => resolve({ code: answer.statusCode, end }));
      asked.once('response', (answer) => resolve({ code: answer.statusCode }));
      asked.once('error', reject);
    });
  };
  const paths = ['/api/store/blobs', '/api/log/staff', '/api/keeper/work', '/dav/', '/seed/x'];
  for (const path of paths) assert.notEqual(await status(path, '127.0.0.9'), 403, path);
  const held = await open('127.0.0.9');
  assert.equal(held.code, 101);
  let isEnded = false;
  held.end?.once('close', () => {
    isEnded = true;
  });
  held.end?.resume();
  held.end?.on('error', () => undefined);
  const boss = await SiteVisitor.signIn(server.siteUrl, 'boss', PASSWORD.trim());
  await boss.get('/console/networks');
  const banned = await boss.post('/console/networks', { network: '127.0.0.9', reason: 'A test' });
  assert.equal(banned.status, 303);
  await waitFor('the open connection to end', 60_000, () => (isEnded ? true : undefined));
  for (const path of [...paths, '/']) assert.equal(await status(path, '127.0.0.9'), 403, path);
  assert.equal((await open('127.0.0.9')).code, 403);
  assert.equal((await open('127.0.0.10')).code, 101);
});
