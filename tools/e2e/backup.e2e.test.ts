// Backup and restore as an operator does them: a server under simulated clients over UDP is backed up
// again and again, killed, and restored to another folder, where everything must fit together and the
// clients go on as if nothing had happened but the time in between.

import { strict as assert } from 'node:assert';
import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { PROGRAM, pause, runProgram, TestServer, waitFor } from './server.ts';
import { type ClientIdentity, Draw, simulatedPeerId, UdpDoor } from './simulated-clients.ts';

const SEED = Number(process.env['SEED'] ?? 20_261_121);
const CLIENTS = 12;
const MEMBERS = 4;
const TORRENT_BYTES = 64 * 1024 * 1024;
const PIECE_BYTES = 16_384;

interface Made {
  readonly id: string;
  readonly time: string;
  readonly newBytes: number;
  readonly bytes: number;
  readonly contentBlobs: number;
}

interface Ledger {
  readonly uploadedBytes: number;
  readonly downloadedBytes: number;
}

let root: string;
const servers: TestServer[] = [];
const doors: UdpDoor[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'swarmkeep-e2e-backup-'));
});

afterEach(async () => {
  for (const door of doors.splice(0)) door.close();
  for (const server of servers.splice(0)) await server.remove();
  rmSync(root, { recursive: true, force: true });
});

async function prepare(dataFolder?: string): Promise<TestServer> {
  const server = await TestServer.prepare(dataFolder === undefined ? {} : { dataFolder });
  servers.push(server);
  return server;
}

async function restore(place: string, to: string, more: readonly string[] = []) {
  return await runProgram(['restore', place, '--data', to, '--json', ...more]);
}

/** Each of these exits 1 when it finds anything. */
async function assertSound(server: TestServer): Promise<void> {
  for (const check of ['ledger audit', 'log verify', 'store verify']) {
    const { exitCode, stdout, stderr } = await server.command(check.split(' '));
    assert.equal(exitCode, 0, `${check}: ${stdout}${stderr}`);
  }
}

/** A client that never begins anew: its counters tell everything, whatever a tracker has forgotten. */
class Cumulative {
  readonly identity: ClientIdentity;
  readonly member: string;
  readonly #draw: Draw;
  readonly #key: number;
  uploaded = 0;
  downloaded = 0;

  constructor(identity: ClientIdentity, member: string, seed: number) {
    this.identity = identity;
    this.member = member;
    this.#draw = new Draw(seed);
    this.#key = 1 + this.#draw.below(0x7fff_ffff);
  }

  async begin(door: UdpDoor): Promise<void> {
    await this.#say(door, 'started');
  }

  async step(door: UdpDoor): Promise<void> {
    this.uploaded += this.#draw.below(1 << 22);
    this.downloaded += this.#draw.below(1 << 16);
    await door.announce(this.identity, this.#words('none'));
  }

  async finish(door: UdpDoor): Promise<void> {
    await this.#say(door, 'completed');
  }

  async #say(door: UdpDoor, event: 'started' | 'completed'): Promise<void> {
    await waitFor(`an answer to ${event}`, 60_000, async () => {
      const answer = await door.announce(this.identity, this.#words(event));
      if (answer === undefined || answer === 'ok') return answer === 'ok' ? true : undefined;
      throw new Error(`a client was refused: ${answer}`);
    });
  }

  #words(event: 'started' | 'completed' | 'none') {
    const left = Math.max(0, TORRENT_BYTES - this.downloaded);
    const { uploaded, downloaded } = this;
    return { event, uploaded, downloaded, left, key: this.#key };
  }
}

async function addCommunity(server: TestServer): Promise<Cumulative[]> {
  const passkeys: string[] = [];
  for (let at = 0; at < MEMBERS; at++) {
    const [member] = await server.json<{ passkey: string }>(['member', 'add', `member${at}`]);
    passkeys.push(member?.passkey ?? '');
  }
  const infoHash = await addTorrent(server);
  const draw = new Draw(SEED);
  return Array.from({ length: CLIENTS }, (_, at) => {
    const member = at % MEMBERS;
    const passkey = passkeys[member] ?? '';
    const identity = { passkey, infoHash, peerId: simulatedPeerId(at), port: 10_000 + at };
    return new Cumulative(identity, `member${member}`, draw.below(0x7fff_ffff));
  });
}

async function addTorrent(server: TestServer): Promise<Uint8Array> {
  const pieces = Buffer.alloc((TORRENT_BYTES / PIECE_BYTES) * 20, 7);
  const info = Buffer.concat([
    Buffer.from(`d6:lengthi${TORRENT_BYTES}e4:name4:file12:piece lengthi${PIECE_BYTES}e`),
    Buffer.from(`6:pieces${pieces.byteLength}:`),
    pieces,
    Buffer.from('7:privatei1ee'),
  ]);
  const file = join(root, 'file.torrent');
  writeFileSync(file, Buffer.concat([Buffer.from('d4:info'), info, Buffer.from('e')]));
  const [torrent] = await server.json<{ infoHash: string }>(['torrent', 'add', file]);
  return Buffer.from(torrent?.infoHash ?? '', 'hex');
}

async function doorOf(server: TestServer): Promise<UdpDoor> {
  const door = await UdpDoor.open({ host: '127.0.0.1', port: server.trackerPort }, '127.0.0.2');
  doors.push(door);
  return door;
}

/** Lets the clients announce until `until` resolves. */
async function live(
  clients: readonly Cumulative[],
  door: UdpDoor,
  until: () => Promise<void>,
): Promise<void> {
  const ended = new AbortController();
  const lanes = Array.from({ length: 6 }, async (_, lane) => {
    for (let at = lane; !ended.signal.aborted; at = (at + 6) % clients.length) {
      await clients[at]?.step(door);
    }
  });
  try {
    await until();
  } finally {
    ended.abort();
    await Promise.all(lanes);
  }
}

test(`a server under announces is backed up, and its restored copy counts on without loss or doubling (SEED=${SEED})`, async () => {
  const server = await prepare();
  await server.start();
  const clients = await addCommunity(server);
  writeFileSync(join(root, 'note'), 'kept by hand');
  await server.json(['store', 'put', join(root, 'note')]);
  const place = join(root, 'place');
  const made: Made[] = [];
  const door = await doorOf(server);
  for (const client of clients) await client.begin(door);
  await live(clients, door, async () => {
    for (let at = 0; at < 3; at++) {
      made.push(...(await server.json<Made>(['backup', place])));
      // What the site changes meanwhile is in the next one, or not at all.
      await server.json(['member', 'add', `late${at}`]);
    }
  });
  const [listed] = await server.json<Made>(['backup', 'list', place]);
  assert.equal(listed?.id, made[2]?.id);
  assert.equal(made[2]?.contentBlobs, 1);
  await server.end('SIGKILL');

  const copy = join(root, 'copy');
  const { exitCode, stdout, stderr } = await restore(place, copy);
  assert.equal(exitCode, 0, stdout + stderr);
  const restored = await prepare(copy);
  await assertSound(restored);
  await restored.start();
  const members = await restored.json<{ name: string }>(['member', 'list']);
  assert.deepEqual(members.flatMap(({ name }) => (name.startsWith('late') ? [name] : [])).sort(), [
    'late0',
    'late1',
  ]);
  // The clients know nothing of it all. What they moved after the backup comes with their next words.
  const to = await doorOf(restored);
  for (const client of clients) await client.finish(to);
  await compare(restored, clients);
  await assertSound(restored);
  assert.match((await restored.command(['store', 'ls'])).stdout, /^sha256-\S+ {2}12$/m);
  // The topic goes on in a new epoch: nothing says that it belongs to another log.
  assert.doesNotMatch(restored.output, /another (?:log|state)|older than the log/);
});

async function compare(server: TestServer, clients: readonly Cumulative[]): Promise<void> {
  for (let member = 0; member < MEMBERS; member++) {
    const name = `member${member}`;
    const moved = clients.filter((client) => client.member === name);
    const sum = (of: (client: Cumulative) => number) =>
      moved.reduce((total, client) => total + of(client), 0);
    const expected = [sum((one) => one.uploaded), sum((one) => one.downloaded)];
    await waitFor(`the ledger to count ${name}'s bytes`, 60_000, async () => {
      const [shown] = await server.json<Ledger>(['ledger', 'show', name]);
      const found = [shown?.uploadedBytes, shown?.downloadedBytes];
      return JSON.stringify(found) === JSON.stringify(expected) ? true : undefined;
    });
  }
}

test('what did not change is stored once, an earlier backup is chosen by time or id, and keep= forgets', async () => {
  const server = await prepare();
  await server.json(['member', 'add', 'alice']);
  writeFileSync(join(root, 'large'), Buffer.alloc(4_000_000, 'large'));
  await server.json(['store', 'put', join(root, 'large')]);
  const place = join(root, 'place');
  const [first] = await server.json<Made>(['backup', place]);
  assert.ok((first?.newBytes ?? 0) > 4_000_000);
  const [same] = await server.json<Made>(['backup', place]);
  assert.ok((same?.newBytes ?? 0) < 10_000, `${same?.newBytes} bytes for nothing new`);
  await server.json(['member', 'add', 'bob']);
  const [changed] = await server.json<Made>(['backup', place]);
  assert.ok((changed?.newBytes ?? 0) < (changed?.bytes ?? 0) + 10_000, 'the blob is there already');

  for (const [at, names] of [
    [first?.time ?? '', ['alice']],
    [changed?.id ?? '', ['alice', 'bob']],
  ] as const) {
    const copy = await prepare(join(root, `copy-${names.length}`));
    assert.equal((await restore(place, copy.dataFolder, ['--at', at])).exitCode, 0);
    const members = await copy.json<{ name: string }>(['member', 'list']);
    assert.deepEqual(members.map(({ name }) => name).sort(), names);
  }
  await server.json(['member', 'add', 'carol']);
  await server.json(['backup', place, '--keep', '1']);
  assert.equal((await server.json(['backup', 'list', place])).length, 1);
  // What was forgotten went, and nothing that the one that is kept is made of.
  const [verified] = await server.json<{ damaged: unknown[]; blobs: number }>([
    ...['backup', 'verify', place],
  ]);
  assert.deepEqual(verified?.damaged, []);
});

test('a backup made while the disk of the store is away says so, and pushes no whole one out', async () => {
  const server = await prepare();
  const place = join(root, 'place');
  const disk = join(root, 'disk');
  writeFileSync(join(root, 'file'), 'kept');
  const words = ['--set', `store.stack=packed(${disk})`];
  const [put] = await server.json<{ ref: string }>([
    ...['store', 'put', join(root, 'file'), ...words],
  ]);
  const [whole] = await server.json<Made>(['backup', place, '--keep', '1', ...words]);
  renameSync(disk, `${disk}.away`);
  for (const [check, said] of [
    [['doctor'], /1 of 1 blobs that are needed are not in the store, the first for "pins"/],
    [['backup', place, '--keep', '1'], /INCOMPLETE: 1 blobs.*\nnot in it: sha256-/],
    [['store', 'verify'], new RegExp(`missing: ${put?.ref} \\(needed by pins\\)`)],
    [['backup', 'verify', place], /incomplete since it was made/],
  ] as const) {
    const { exitCode, stdout } = await server.command([...check, ...words]);
    assert.equal(exitCode, 1, check.join(' '));
    assert.match(stdout, said);
  }
  const listed = await server.json<Made & { lackingBlobs: number }>(['backup', 'list', place]);
  assert.deepEqual(
    listed.map(({ lackingBlobs }) => lackingBlobs),
    [1, 0],
  );
  assert.equal(listed[1]?.id, whole?.id);
  const to = join(root, 'copy');
  const half = await restore(place, to, words);
  assert.equal(half.exitCode, 1);
  assert.match(half.stdout, /The backup was incomplete when it was made: 1 blobs/);
  rmSync(disk, { recursive: true });
  renameSync(`${disk}.away`, disk);
  await server.json(['backup', place, '--keep', '1', ...words]);
  assert.equal((await server.json(['backup', 'list', place])).length, 1, 'the incomplete one went');
});

test('a restore goes on without a blob that rotted in the place, and names it', async () => {
  const server = await prepare();
  const place = join(root, 'place');
  await server.json(['member', 'add', 'alice']);
  for (const text of ['this one rots', 'this one stays']) {
    writeFileSync(join(root, 'file'), text);
    await server.json(['store', 'put', join(root, 'file')]);
  }
  await server.json(['backup', place]);
  const packs = readdirSync(place).filter((name) => name.endsWith('.pack'));
  for (const path of packs.map((name) => join(place, name))) {
    const bytes = readFileSync(path);
    const at = bytes.indexOf('this one rots');
    if (at >= 0) writeFileSync(path, bytes.fill('T', at, at + 1));
  }
  const to = join(root, 'copy');
  const { exitCode, stdout } = await restore(place, to);
  assert.equal(exitCode, 1);
  const { findings } = JSON.parse(stdout) as { findings: string[] };
  assert.match(findings.join(), /^sha256-[0-9a-f]{64} cannot be restored: STORE_CORRUPT_BLOB/);
  const restored = await prepare(to);
  assert.equal((await restored.json(['member', 'list'])).length, 1);
  assert.equal((await restored.json(['store', 'ls'])).length, 1);
});

test('a restore refuses a folder that is not empty, and a mistyped place', async () => {
  const server = await prepare();
  await server.json(['member', 'add', 'alice']);
  const place = join(root, 'place');
  await server.json(['backup', place]);
  const full = await restore(place, server.dataFolder);
  assert.match(full.stdout, /CLI_REFUSED.*not empty/);
  const missing = await restore(join(root, 'plaec'), join(root, 'copy'));
  assert.match(missing.stdout, /CLI_NOT_FOUND/);
  assert.equal(existsSync(join(root, 'plaec')), false);
  const wrongTime = await restore(place, join(root, 'copy'), ['--at', '2001-01-01']);
  assert.match(wrongTime.stdout, /CLI_NOT_FOUND/);
  assert.deepEqual(readdirSync(root), ['place']);
});

test('an encrypted backup can be restored with the key file alone', async () => {
  const server = await prepare();
  await server.json(['member', 'add', 'alice']);
  const keys = join(root, 'keys');
  const place = `encrypt > packed(${join(root, 'place')})`;
  assert.equal((await runProgram(['store', 'keys', 'new', keys])).exitCode, 0);
  const setting = ['--set', `store.keyFile=${keys}`];
  await server.json(['backup', place, ...setting]);
  const without = await restore(place, join(root, 'copy'));
  assert.match(without.stdout, /key file/);
  assert.equal(existsSync(join(root, 'copy')), false);
  const copy = await prepare(join(root, 'copy'));
  assert.equal((await restore(place, copy.dataFolder, setting)).exitCode, 0);
  assert.equal((await copy.json(['member', 'list'])).length, 1);
});

test('the doctor names what is wrong with what to do, and is content when it was done', async () => {
  const server = await prepare();
  const settings = ['site.publicUrl=https://example.org', 'tracker.webSocketConnectionsMax=0']
    .concat(['http', 'udp'].map((door) => `tracker.publicUrls.${door}=${door}://example.org:6969`))
    .flatMap((setting) => ['--set', setting]);
  await server.json(['member', 'add', 'alice']);
  const key = join(server.dataFolder, 'keys', 'node-id');
  chmodSync(key, 0o644);
  const found = await server.command(['doctor', '--json', ...settings]);
  assert.equal(found.exitCode, 1);
  const { findings, checks } = JSON.parse(found.stdout) as {
    findings: { check: string; advice: string }[];
    checks: string[];
  };
  const named = (name: string) => findings.find(({ check }) => check === name)?.advice ?? '';
  assert.match(named('secret files'), /^chmod 600 ".*node-id"$/);
  assert.match(named('backups'), /swarmkeep backup/);
  assert.ok(checks.length >= 12);
  chmodSync(key, 0o600);
  await server.json(['backup', join(root, 'place')]);
  const rest = await server.command(['doctor', '--json', ...settings]);
  // What is left is the machine's: how full its disk is, how many files it may open.
  const left = (JSON.parse(rest.stdout) as { findings: { check: string }[] }).findings;
  assert.deepEqual(
    left.filter(({ check }) => !['clock', 'disk', 'open files'].includes(check)),
    [],
  );
  const lost = await server.command(['doctor', '--set', 'store.stack=s3', ...settings]);
  assert.match(lost.stdout, /The check "store" cannot be made/);
});

test('a backup and a restore that are killed leave what was there, and the next ones go on', async () => {
  const server = await prepare();
  await server.start();
  await server.json(['member', 'add', 'alice']);
  for (let at = 0; at < 3; at++) {
    writeFileSync(join(root, 'large'), Buffer.alloc(12_000_000, `large ${at}`));
    await server.json(['store', 'put', join(root, 'large')]);
  }
  const place = join(root, 'place');
  // Killed with its server at some moment of it; the command goes on by itself or fails, as it can.
  const making = server.command(['backup', place]);
  await pause(700);
  await server.end('SIGKILL');
  await making;
  const [made] = await server.json<Made>(['backup', place]);
  assert.equal(made?.contentBlobs, 3);
  assert.equal((await server.command(['backup', 'verify', place])).exitCode, 0);
  assert.deepEqual(
    readdirSync(server.dataFolder).filter((name) => name.includes('work')),
    [],
  );
  const copy = join(root, 'copy');
  // As soon as it has begun, and once blobs are there.
  const half = `${copy}.restoring`;
  for (const seen of [half, join(half, 'store', 'packed', '0000000001.pack')]) {
    const child = spawn(PROGRAM, ['restore', place, '--data', copy], { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    while (!existsSync(seen) && child.exitCode === null) await pause(5);
    child.kill('SIGKILL');
    await ended;
    assert.equal(child.signalCode, 'SIGKILL', 'it was under way');
    assert.deepEqual([existsSync(half), existsSync(copy)], [true, false], 'nothing has the name');
  }
  assert.equal((await restore(place, copy)).exitCode, 0);
  assert.equal(existsSync(`${copy}.restoring`), false);
  await assertSound(await prepare(copy));
});
