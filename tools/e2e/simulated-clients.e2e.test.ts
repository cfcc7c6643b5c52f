// Hundreds of clients that misbehave, over real UDP and HTTP, against a server that is killed again
// and again with SIGKILL while they announce. Afterwards every byte they moved since their first
// answered announce must be in the ledger, and none twice.

import { strict as assert } from 'node:assert';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, type TestContext, test } from 'node:test';
import { pause, TestServer, waitFor } from './server.ts';
import {
  type Doors,
  Draw,
  SimulatedClient,
  simulatedPeerId,
  UdpDoor,
} from './simulated-clients.ts';

const SEED = Number(process.env['SEED'] ?? 20_261_121);
const MEMBERS = 12;
const TORRENTS = 20;
const CLIENTS = 480;
/** Two threads take every other announce by HTTP, so that they meet on the same peers. */
const RUNS = [
  { workers: 1, kills: 20 },
  { workers: 2, kills: 4 },
] as const;
const AT_ONCE = 24;
const PIECE_BYTES = 16_384;
const TORRENT_BYTES = 64 * 1024 * 1024;

interface ShownLedger {
  readonly uploadedBytes: number;
  readonly downloadedBytes: number;
  readonly torrents: readonly {
    readonly infoHash: string;
    readonly uploadedBytes: number;
    readonly downloadedBytes: number;
  }[];
}

let server: TestServer;
const opened: UdpDoor[] = [];
afterEach(async () => {
  for (const door of opened.splice(0)) door.close();
  await server.remove();
});

for (const run of RUNS) {
  const threads = run.workers === 1 ? '' : ` in ${run.workers} threads`;
  test(`kill -9 again and again under simulated clients${threads} loses and doubles nothing (SEED=${SEED})`, async (t) => {
    const settings = { 'tracker.workers': run.workers };
    server = await TestServer.prepare({ addresses: ['127.0.0.1'], settings });
    await killUnderClients(run.kills, t);
  });
}

async function killUnderClients(kills: number, t: TestContext): Promise<void> {
  await server.start();
  const passkeys = await addMembers();
  const infoHashes = await addTorrents();
  const draw = new Draw(SEED);
  const clients = Array.from({ length: CLIENTS }, (_, at) => {
    const member = at % MEMBERS;
    const torrent = Math.floor(at / MEMBERS) % TORRENTS;
    const identity = {
      passkey: passkeys[member] ?? '',
      infoHash: infoHashes[torrent] ?? new Uint8Array(20),
      peerId: simulatedPeerId(at),
      port: 10_000 + at,
    };
    const options = { seed: draw.below(0x7fff_ffff), bytes: TORRENT_BYTES };
    return new SimulatedClient(identity, `member${member}`, options);
  });
  const tracker = { host: '127.0.0.1', port: server.trackerPort };
  const doors: Doors = {
    udp: [await UdpDoor.open(tracker, '127.0.0.2'), await UdpDoor.open(tracker, '127.0.0.3')],
    http: tracker,
  };
  opened.push(...doors.udp);
  let steps = 0;
  const living = new AbortController();
  const life = Promise.all(
    Array.from({ length: AT_ONCE }, async (_, lane) => {
      for (let at = lane; !living.signal.aborted; at = (at + AT_ONCE) % CLIENTS) {
        await clients[at]?.step(doors);
        steps++;
      }
    }),
  );
  try {
    for (let kill = 0; kill < kills; kill++) {
      await Promise.race([pause(200 + draw.below(900)), life]);
      // However slow the machine is, each life is one of many steps.
      const before = steps;
      while (steps < before + CLIENTS / kills) await Promise.race([pause(20), life]);
      await server.end('SIGKILL');
      await server.start();
    }
    await pause(1_000);
  } finally {
    living.abort();
  }
  await life;
  for (const client of clients) {
    await waitFor('the last announce to be answered', 60_000, async () =>
      (await client.finish(doors)) ? true : undefined,
    );
  }
  t.diagnostic(`${steps} steps of ${CLIENTS} clients, ${kills} kills`);
  assert.ok(steps > CLIENTS, 'the clients lived between the kills');
  await compareWithLedger(clients);
}

async function addMembers(): Promise<string[]> {
  const passkeys: string[] = [];
  for (let at = 0; at < MEMBERS; at++) {
    const words = ['member', 'add', `member${at}`];
    const [member] = await server.json<{ passkey: string }>(words);
    passkeys.push(member?.passkey ?? '');
  }
  return passkeys;
}

async function addTorrents(): Promise<Uint8Array[]> {
  const hashes: Uint8Array[] = [];
  for (let at = 0; at < TORRENTS; at++) {
    const path = join(server.dataFolder, `simulated-${at}.torrent`);
    writeFileSync(path, torrentOf(`simulated-${at}.bin`));
    const [torrent] = await server.json<{ infoHash: string }>(['torrent', 'add', path]);
    hashes.push(new Uint8Array(Buffer.from(torrent?.infoHash ?? '', 'hex')));
  }
  return hashes;
}

/** A single-file v1 torrent whose pieces nobody will ever check. */
function torrentOf(name: string): Buffer {
  const count = TORRENT_BYTES / PIECE_BYTES;
  const pieces = Buffer.concat(
    Array.from({ length: count }, (_, at) => createHash('sha1').update(`${name}${at}`).digest()),
  );
  return Buffer.concat([
    Buffer.from(`d4:infod6:lengthi${TORRENT_BYTES}e4:name${name.length}:${name}`),
    Buffer.from(`12:piece lengthi${PIECE_BYTES}e6:pieces${pieces.byteLength}:`),
    pieces,
    Buffer.from('ee'),
  ]);
}

async function compareWithLedger(clients: readonly SimulatedClient[]): Promise<void> {
  const expected = new Map<string, { uploaded: number; downloaded: number }>();
  for (const client of clients) {
    const hash = Buffer.from(client.identity.infoHash).toString('hex');
    const key = `${client.member} ${hash}`;
    const sum = expected.get(key) ?? { uploaded: 0, downloaded: 0 };
    sum.uploaded += client.moved.uploaded;
    sum.downloaded += client.moved.downloaded;
    expected.set(key, sum);
  }
  const found = await waitFor('the ledger to show every byte', 120_000, async () => {
    const shown = await readLedger();
    for (const [key, sum] of expected) {
      const row = shown.get(key);
      if (row?.uploaded !== sum.uploaded || row.downloaded !== sum.downloaded) return undefined;
    }
    return shown;
  }).catch(() => readLedger());
  for (const [key, sum] of expected) assert.deepEqual(found.get(key), sum, key);
  const audit = await server.command(['ledger', 'audit', '--json']);
  assert.equal(audit.exitCode, 0, audit.stdout);
  const { differences } = JSON.parse(audit.stdout) as { differences: string[] };
  assert.deepEqual(differences, []);
}

async function readLedger(): Promise<Map<string, { uploaded: number; downloaded: number }>> {
  const shown = new Map<string, { uploaded: number; downloaded: number }>();
  for (let at = 0; at < MEMBERS; at++) {
    const [ledger] = await server.json<ShownLedger>(['ledger', 'show', `member${at}`]);
    for (const row of ledger?.torrents ?? []) {
      const key = `member${at} ${row.infoHash}`;
      shown.set(key, { uploaded: row.uploadedBytes, downloaded: row.downloadedBytes });
    }
  }
  return shown;
}
