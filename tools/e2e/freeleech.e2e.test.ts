// Freeleech from the command line until it stands in the records of a real tracker, with the server
// running: opened, ended, and what the ledger makes of it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { announceTarget, HttpClient } from '#sim/http-client.ts';
import { TestServer } from './server.ts';

const HASH = '5be11ecc00112233445566778899aabbccddeeff';
const MIB = 2 ** 20;
const WAIT_MS_MAX = 60_000;

let server: TestServer;

before(async () => {
  server = await TestServer.prepare({ settings: { 'tracker.mode': 'members' } });
});

after(async () => {
  await server.remove();
});

interface Shown {
  readonly downloadedBytes: number;
  readonly creditedDownloadedBytes: number;
  readonly standing: { readonly state: string; readonly reasons: readonly string[] };
}

/** The ledger counts within a second; a changed total is waited for. */
async function shown(downloadedBytes: number): Promise<Shown> {
  for (const untilMs = performance.now() + WAIT_MS_MAX; ; ) {
    const [now] = await server.json<Shown>(['ledger', 'show', 'alice']);
    if (now?.downloadedBytes === downloadedBytes || performance.now() > untilMs) return now!;
  }
}

test('freeleech counts at the tracker within a second, ends as quickly, and changes nothing real', async () => {
  await server.start();
  const [alice] = await server.json<{ passkey: string }>(['member', 'add', 'alice']);
  const client = await HttpClient.open(server.trackerPort);
  const target = `/${alice?.passkey}/announce`;
  const peer = { infoHash: HASH, peerId: '-SK0001-aaaaaaaaaaaa', left: 9 * MIB };
  const take = async (downloaded: number, event?: 'started'): Promise<Shown> => {
    const announce = { ...peer, downloaded, ...(event === undefined ? {} : { event }) };
    const answer = await client.get(announceTarget(target, announce));
    assert.equal(answer.failure, '');
    return await shown(downloaded);
  };
  try {
    await take(0, 'started');
    const before = await take(MIB);
    assert.equal(before.creditedDownloadedBytes, MIB);
    assert.match(before.standing.reasons.join(' '), /nobody is judged/);
    const [opened] = await server.json<{ id: number }>(['freeleech', 'add', '--member', 'alice']);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const during = await take(3 * MIB);
    assert.equal(during.creditedDownloadedBytes, MIB);
    await server.json(['freeleech', 'end', String(opened?.id)]);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const after = await take(4 * MIB);
    assert.equal(after.creditedDownloadedBytes, 2 * MIB);
    const [audit] = await server.json<{ differences: string[] }>(['ledger', 'audit']);
    assert.deepEqual(audit?.differences, []);
  } finally {
    client.close();
  }
});
