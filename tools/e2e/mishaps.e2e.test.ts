// What goes wrong around a data folder: copied, missing, damaged, on a full disk. Each has an answer
// in words and an exit code, and none of them reaches the wrong server or loses what was counted.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { flipByte, smallTorrent } from './content.ts';
import { freePort, runProgram, slowness, TestServer, waitFor } from './server.ts';

const PROGRAM = fileURLToPath(new URL('../../bin/swarmkeep', import.meta.url));
/** Less than anything that is waited for in a start. */
const START_MS_MAX = 5000;

const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-mishaps-'));
let server: TestServer;
let passkey = '';
/** Of the torrent, as it stands in a URL. */
let hash = '';

interface Totals {
  readonly uploadedBytes: number;
}

before(async () => {
  server = await TestServer.prepare({ settings: { 'swarm.announceIntervalMsMin': 1000 } });
  await server.start();
  const [member] = await server.json<{ passkey: string }>(['member', 'add', 'alice']);
  const file = join(folder, 'small.torrent');
  writeFileSync(file, smallTorrent('small.bin'));
  const [torrent] = await server.json<{ infoHash: string }>(['torrent', 'add', file]);
  hash = (torrent?.infoHash ?? '').replace(/../g, '%$&');
  passkey = member?.passkey ?? '';
  for (const [event, uploaded] of [
    ['started', 0],
    ['', 1000],
    ['', 2000],
    ['stopped', 3000],
  ] as const) {
    // The torrent is in force at the tracker within a second.
    await waitFor('the announce', 60_000, async () => {
      const answer = await announce(server, { uploaded, event });
      return answer.includes('8:interval') ? true : undefined;
    });
  }
  await waitFor('the ledger', 60_000, async () => {
    const [totals] = await server.json<Totals>(['ledger', 'show', 'alice']);
    return totals?.uploadedBytes === 3000 ? true : undefined;
  });
});

after(async () => {
  await server?.remove();
  rmSync(folder, { recursive: true, force: true });
});

async function announce(
  at: TestServer,
  { uploaded, event }: { readonly uploaded: number; readonly event: string },
): Promise<string> {
  const query = `info_hash=${hash}&peer_id=-TR4050-abcdefghijkl&port=6881&left=0&downloaded=0`;
  const url = `http://127.0.0.1:${at.trackerPort}/${passkey}/announce?${query}`;
  return await (await fetch(`${url}&uploaded=${uploaded}&event=${event}`)).text();
}

/** A copy of the data as it stands, for a test to damage. */
function copyOf(name: string): string {
  const copy = join(folder, name);
  cpSync(server.dataFolder, copy, { recursive: true, filter: (path) => !path.endsWith('.sock') });
  return copy;
}

test('commands on a copy of the folder do not reach the server of the original', async () => {
  const copy = copyOf('copy');
  const added = await runProgram(['member', 'add', 'victim', '--data', copy]);
  assert.equal(added.exitCode, 0, added.stderr);
  const members = await server.command(['member', 'list']);
  assert.doesNotMatch(members.stdout, /victim/);
});

test('a folder that is not there is named, and not made by looking', async () => {
  const missing = join(folder, 'missing');
  for (const words of [['member', 'list'], ['torrent', 'list'], ['ledger', 'audit'], ['doctor']]) {
    const { exitCode, stderr } = await runProgram([...words, '--data', missing]);
    assert.deepEqual([exitCode, stderr.includes('There is no data folder')], [1, true], stderr);
  }
  assert.ok(!existsSync(missing));
});

test('an answer that cannot be written is a failure', { skip: !existsSync('/dev/full') }, () => {
  const words = ['member', 'list', '--data', server.dataFolder];
  const full = spawnSync('sh', ['-c', `"${PROGRAM}" ${words.join(' ')} >/dev/full`]);
  assert.equal(full.status, 1);
  assert.match(full.stderr.toString(), /CLI_OUTPUT_FAILED/);
});

test('a key file that is no key ends the start at once, and is named', async () => {
  const copy = copyOf('bad-key');
  writeFileSync(join(copy, 'keys/connection-id'), 'x');
  const ports = [await freePort(), await freePort()];
  const msMax = START_MS_MAX * (await slowness());
  const sinceMs = performance.now();
  const start = await runProgram([
    ...['serve', '--data', copy, '--set', `site.port=${ports[0]}`],
    ...['--set', `tracker.port=${ports[1]}`],
  ]);
  assert.equal(start.exitCode, 1);
  assert.match(start.stderr, /connection-id/);
  assert.ok(performance.now() - sinceMs < msMax);
});

test('a data folder that cannot be made is told at once', async () => {
  for (const folder of ['/proc/swarmkeep/data', '/sys/swarmkeep']) {
    const started = await runProgram(['serve', '--data', folder]);
    assert.equal(started.exitCode, 1);
    assert.match(started.stderr, /CLI_DATA_UNUSABLE/);
  }
});

test('metrics are for this machine: not through a proxy, not under another name', async () => {
  const url = `${server.siteUrl}/metrics`;
  const status = (...headers: string[]): string =>
    execFileSync('curl', [
      ...['-s', '-o', '/dev/null', '-w', '%{http_code}'],
      ...headers.flatMap((one) => ['-H', one]),
      url,
    ]).toString();
  assert.equal(status(), '200');
  for (const header of [
    'X-Forwarded-For: 8.8.8.8',
    'X-Forwarded-Proto: https',
    'Forwarded: for=8.8.8.8',
    'X-Real-IP: 8.8.8.8',
    'Via: 1.1 proxy',
    'CF-Connecting-IP: 8.8.8.8',
    'Host: swarm.example.org',
  ]) {
    assert.equal(status(header), '403', header);
  }
});

test('a damaged log is not made into a smaller ledger, unless asked to', async () => {
  const copy = copyOf('damaged');
  const topic = join(copy, 'log/transfers');
  const [segment] = readdirSync(topic).filter((name) => name.endsWith('.log'));
  flipByte(join(topic, segment ?? ''), 1100);
  const refused = await runProgram(['ledger', 'rebuild', '--data', copy]);
  assert.deepEqual(
    [refused.exitCode, refused.stderr.includes('LEDGER_RECORDS_DAMAGED')],
    [1, true],
  );
  const audit = await runProgram(['ledger', 'audit', '--data', copy, '--json']);
  assert.equal(audit.exitCode, 1);
  const show = await runProgram(['ledger', 'show', 'alice', '--data', copy, '--json']);
  assert.equal((JSON.parse(show.stdout) as Totals).uploadedBytes, 3000);
  const words = ['ledger', 'rebuild', '--accept-damage', '--json', '--data', copy];
  const accepted = JSON.parse((await runProgram(words)).stdout) as {
    records: number;
    differences: string[];
  };
  // The three records after `started` share a batch, which is gone whole.
  assert.equal(accepted.records, 1);
  assert.ok(accepted.differences.length > 0);
});

test('an audit finds that the log is gone', async () => {
  const copy = copyOf('gone');
  const topic = join(copy, 'log/transfers');
  for (const name of readdirSync(topic)) {
    if (name.endsWith('.log')) rmSync(join(topic, name));
  }
  const audit = await runProgram(['ledger', 'audit', '--data', copy, '--json']);
  assert.equal(audit.exitCode, 1, audit.stdout);
  assert.match(audit.stdout, /records before it are gone/);
});

test('with every snapshot of the baselines damaged nothing that clients moved is lost', async () => {
  // An end makes the first snapshot, the next the second.
  for (let life = 0; life < 2; life++) {
    await server.end('SIGTERM');
    await server.start();
  }
  const copy = copyOf('baselines');
  const snapshots = join(copy, 'baselines');
  const names = readdirSync(snapshots).filter((name) => name.endsWith('.snapshot'));
  assert.equal(names.length, 2);
  // In the only entry of each, behind the header of 128 bytes.
  for (const name of names) flipByte(join(snapshots, name), 128 + 40);
  const other = await TestServer.prepare({
    dataFolder: copy,
    settings: { 'swarm.announceIntervalMsMin': 1000 },
  });
  await other.start();
  try {
    const answer = await announce(other, { uploaded: 5000, event: 'started' });
    assert.match(answer, /8:interval/);
    await waitFor('the ledger', 60_000, async () => {
      const [totals] = await other.json<Totals>(['ledger', 'show', 'alice']);
      return totals?.uploadedBytes === 5000 ? true : undefined;
    });
    const said = other.output.split('\n').filter((line) => /Every snapshot.*damaged/.test(line));
    assert.equal(said.length, 1);
    await other.json(['ledger', 'audit']);
  } finally {
    await other.remove();
  }
});

test('metrics tell how far each reader of the log is behind', async () => {
  // The first that keeps its position in the log; the ledger keeps its own in SQL.
  await server.json(['ledger', 'snapshot']);
  const metrics = await (await fetch(`${server.siteUrl}/metrics`)).text();
  const lag = /^swarmkeep_log_consumer_lag_records\{([^}]*)\} ([0-9]+)$/gm;
  const found = [...metrics.matchAll(lag)].map(([, labels]) => labels ?? '');
  assert.deepEqual(
    found.map((labels) => labels.split(',').toSorted()),
    [['consumer="ledger-snapshot"', 'topic="transfers"']],
  );
});
