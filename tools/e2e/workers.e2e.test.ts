// A server with several tracker threads, from outside: how it ends, what a dead thread does, how soon
// changes are in force in all of them, and who it is after a start as root.

import { strict as assert } from 'node:assert';
import { createHash } from 'node:crypto';
import { chownSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { runProgram, slowness, TestServer, waitFor } from './server.ts';

const WORKERS = 3;
/** The system's own user for nothing; every Debian has it. */
const NOBODY = { name: 'nobody', uid: 65_534 };
/** Throws in one tracker thread as soon as a file is there. */
const POISON = `import { existsSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
if (workerData?.index === 1) {
  const look = () => { if (existsSync(process.env.POISON_FILE)) throw new Error('poisoned'); };
  setInterval(look, 20).unref();
}
`;

interface Member {
  readonly passkey: string;
}

interface Ledger {
  readonly uploadedBytes: number;
}

const servers: TestServer[] = [];
after(async () => {
  for (const server of servers) await server.remove();
});

test('T22: SIGTERM ends a server of three tracker threads in order, with 0, in seconds', async () => {
  const server = await prepare({ 'tracker.workers': WORKERS });
  await server.start();
  const threads = readdirSync(`/proc/${server.pid}/task`).map((task) =>
    readFileSync(`/proc/${server.pid}/task/${task}/comm`, 'utf8').trim(),
  );
  assert.ok(threads.length >= WORKERS, threads.join(' '));
  const hash = await addTorrent(server);
  const passkey = await addMember(server, 'anna');
  for (let at = 0; at < 30; at++) {
    const answer = await announce(server, { passkey, hash, uploaded: at * 1000, peer: 1 });
    assert.match(answer, /8:complete/);
  }
  const msMax = 5000 * (await slowness());
  const sinceMs = performance.now();
  assert.equal(await server.end('SIGTERM'), 0);
  assert.ok(performance.now() - sinceMs < msMax);
  await server.start();
  await waitForBytes(server, 'anna', 29_000);
});

test('T22: a tracker thread that dies takes the process down, and no credit is lost', async () => {
  const server = await prepare({ 'tracker.workers': WORKERS });
  const poison = join(server.dataFolder, 'poison.mjs');
  writeFileSync(poison, POISON);
  process.env['NODE_OPTIONS'] = `--import=${poison}`;
  process.env['POISON_FILE'] = join(server.dataFolder, 'now');
  try {
    await server.start();
  } finally {
    delete process.env['NODE_OPTIONS'];
    delete process.env['POISON_FILE'];
  }
  const hash = await addTorrent(server);
  const passkey = await addMember(server, 'anna');
  await announce(server, { passkey, hash, uploaded: 0, peer: 1, event: 'started' });
  await announce(server, { passkey, hash, uploaded: 70_000, peer: 1 });
  writeFileSync(join(server.dataFolder, 'now'), '');
  assert.equal(await server.exited(60_000), 1);
  assert.match(server.output, /The tracker 2 thread ended by itself/);
  await server.start();
  await announce(server, { passkey, hash, uploaded: 90_000, peer: 1 });
  await waitForBytes(server, 'anna', 90_000);
  const audit = await server.command(['ledger', 'audit', '--json']);
  assert.equal(audit.exitCode, 0, audit.stdout);
});

test('T16: a ban is in force in every tracker thread within a second, and the peers are gone', async () => {
  const server = await prepare({ 'tracker.workers': WORKERS });
  await server.start();
  const hash = await addTorrent(server);
  const anna = await addMember(server, 'anna');
  const bert = await addMember(server, 'bert');
  await announce(server, { passkey: anna, hash, uploaded: 0, peer: 1, event: 'started' });
  const ask = { passkey: bert, hash, uploaded: 0, peer: 2 } as const;
  await announce(server, { ...ask, event: 'started' });
  assert.match(await announce(server, ask), /10:incompletei2e/);
  const secondMs = 1000 * (await slowness());
  await server.json(['member', 'ban', 'anna']);
  const sinceMs = performance.now();
  let refusedInRow = 0;
  // Each connection comes to some thread; forty in a row have come to all of them.
  while (refusedInRow < 40) {
    const askedMs = performance.now() - sinceMs;
    const answer = await announce(server, { passkey: anna, hash, uploaded: 0, peer: 1 });
    if (askedMs > secondMs) assert.match(answer, /banned/);
    refusedInRow = answer.includes('banned') ? refusedInRow + 1 : 0;
  }
  await waitFor('the banned member to leave', secondMs, async () =>
    /10:incompletei1e/.test(await announce(server, ask)) ? true : undefined,
  );
});

const isRoot = process.geteuid?.() === 0;
const root = { skip: isRoot ? false : 'only root can start it as root' };

test(
  'T26: started as root it binds its ports, then is the configured user for good',
  root,
  async (context) => {
    const port = await lowPort();
    const server = await prepare({
      'tracker.workers': 2,
      'tracker.port': port,
      'server.user': NOBODY.name,
    });
    chownSync(server.dataFolder, NOBODY.uid, NOBODY.uid);
    try {
      await server.start();
    } catch (error) {
      // A checkout or a Node in somebody's private folder.
      if (!/EACCES/.test(server.output)) throw error;
      context.skip(`"${NOBODY.name}" may not read this checkout`);
      return;
    }
    for (const task of readdirSync(`/proc/${server.pid}/task`)) {
      const status = readFileSync(`/proc/${server.pid}/task/${task}/status`, 'utf8');
      // Real, effective, saved and file system's.
      const ids = /^Uid:\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)$/m.exec(status)?.slice(1).map(Number);
      assert.deepEqual(new Set(ids), new Set([NOBODY.uid]), status);
    }
    assert.match(server.output, new RegExp(`127\\.0\\.0\\.1:${port}`));
    const hash = await addTorrent(server);
    const passkey = await addMember(server, 'anna');
    const answer = await announce(
      server,
      { passkey, hash, uploaded: 0, peer: 1, event: 'started' },
      port,
    );
    assert.match(answer, /8:complete/);
    for (const path of readdirSync(server.dataFolder, { recursive: true })) {
      const full = join(server.dataFolder, String(path));
      // What this test itself put there is root's.
      if (!full.endsWith('.torrent')) assert.equal(statSync(full).uid, NOBODY.uid, full);
    }
    assert.equal(await server.end('SIGTERM'), 0);
  },
);

test('T26: a data folder of another user ends the start as root with words', root, async () => {
  const server = await prepare({});
  mkdirSync(join(server.dataFolder, 'sql'));
  const words = ['serve', '--data', server.dataFolder, '--set', `server.user=${NOBODY.name}`];
  const result = await runProgram(words);
  assert.equal(result.exitCode, 1);
  assert.match(result.stderr, /belongs to user id 0, expected "nobody" \(65534\); chown -R nobody/);
});

test('T26: a port that is taken ends the start and is named', async () => {
  const first = await prepare({ 'tracker.workers': 1 });
  await first.start();
  const msMax = 8000 * (await slowness());
  const sinceMs = performance.now();
  const second = await prepare({ 'tracker.workers': 2, 'tracker.port': first.trackerPort });
  await assert.rejects(second.start());
  assert.ok(performance.now() - sinceMs < msMax);
  assert.match(second.output, new RegExp(`127\\.0\\.0\\.1:${first.trackerPort}`));
});

/** One that only root may bind. */
async function lowPort(): Promise<number> {
  for (let port = 1023; port > 600; port--) {
    const isFree = await new Promise<boolean>((resolve) => {
      const probe = createServer();
      probe.once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
  throw new Error('no low port is free');
}

async function prepare(settings: Readonly<Record<string, string | number>>): Promise<TestServer> {
  const server = await TestServer.prepare({ settings });
  servers.push(server);
  return server;
}

async function addMember(server: TestServer, name: string): Promise<string> {
  const [member] = await server.json<Member>(['member', 'add', name]);
  return member?.passkey ?? '';
}

async function addTorrent(server: TestServer): Promise<Buffer> {
  const path = join(server.dataFolder, 'a.torrent');
  const pieces = createHash('sha1').update('a').digest();
  writeFileSync(
    path,
    Buffer.concat([
      Buffer.from('d4:infod6:lengthi16384e4:name1:a12:piece lengthi16384e6:pieces20:'),
      pieces,
      Buffer.from('ee'),
    ]),
  );
  const [torrent] = await server.json<{ infoHash: string }>(['torrent', 'add', path]);
  return Buffer.from(torrent?.infoHash ?? '', 'hex');
}

/** By a connection of its own, which the kernel gives to some thread. */
function announce(
  server: TestServer,
  from: {
    readonly passkey: string;
    readonly hash: Buffer;
    readonly uploaded: number;
    readonly peer: number;
    readonly event?: 'started';
  },
  port = server.trackerPort,
): Promise<string> {
  const hash = from.hash.toString('hex').replaceAll(/../g, '%$&');
  const event = from.event === undefined ? '' : `&event=${from.event}`;
  const path = `/${from.passkey}/announce?info_hash=${hash}&peer_id=-SK0001-${String(from.peer).padStart(12, '0')}&port=${6000 + from.peer}&uploaded=${from.uploaded}&downloaded=0&left=16384&compact=1${event}`;
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      let text = '';
      response.setEncoding('latin1');
      response.on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve(text));
    });
    asked.on('error', reject);
    asked.end();
  });
}

async function waitForBytes(server: TestServer, name: string, bytes: number): Promise<void> {
  await waitFor(`${bytes} bytes in the ledger`, 60_000, async () => {
    const [ledger] = await server.json<Ledger>(['ledger', 'show', name]);
    return ledger?.uploadedBytes === bytes ? true : undefined;
  });
}
