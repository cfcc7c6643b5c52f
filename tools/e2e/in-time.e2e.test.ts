// What is promised within so many seconds, of commands and of signals: run when no other test does, and
// given longer where the machine has other work.

import { strict as assert } from 'node:assert';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { smallTorrent } from './content.ts';
import { slowness, TestServer, waitFor } from './server.ts';
import { announceByHttp, simulatedPeerId } from './simulated-clients.ts';

const ONE_SECOND_MS = 1_000;
const END_MS_MAX = 3_000;

let server: TestServer;
before(async () => {
  server = await TestServer.prepare();
  await server.start();
});
after(() => server.remove());

async function announce(passkey: string, infoHash: string): Promise<string> {
  const identity = {
    passkey,
    infoHash: new Uint8Array(Buffer.from(infoHash, 'hex')),
    peerId: simulatedPeerId(1),
    port: 7000,
  };
  const tracker = { host: '127.0.0.1', port: server.trackerPort };
  const counters = { event: 'started', uploaded: 0, downloaded: 0, left: 1000, key: 7 } as const;
  return (await announceByHttp(tracker, identity, counters)) ?? '';
}

test('a ban, a reset passkey and a removal are in force at the tracker within a second', async () => {
  const secondMs = ONE_SECOND_MS * (await slowness());
  const [member] = await server.json<{ passkey: string }>(['member', 'add', 'quick']);
  const path = join(server.dataFolder, 'quick.torrent');
  writeFileSync(path, smallTorrent('quick.bin'));
  const [torrent] = await server.json<{ infoHash: string }>(['torrent', 'add', path]);
  const hash = torrent?.infoHash ?? '';
  let passkey = member?.passkey ?? '';
  await waitFor('a new member on a new torrent', secondMs, async () =>
    (await announce(passkey, hash)).includes('8:interval') ? true : undefined,
  );
  await server.json(['member', 'ban', 'quick', '--reason', 'for this test']);
  await waitFor('the ban', secondMs, async () =>
    (await announce(passkey, hash)).includes('for this test') ? true : undefined,
  );
  await server.json(['member', 'unban', 'quick']);
  const [reset] = await server.json<{ passkey: string }>(['member', 'reset-passkey', 'quick']);
  const old = passkey;
  passkey = reset?.passkey ?? '';
  await waitFor('the new passkey', secondMs, async () =>
    (await announce(passkey, hash)).includes('8:interval') ? true : undefined,
  );
  assert.match(await announce(old, hash), /failure reason/);
  const imported = 'from-another-tracker-0123456789';
  const wrong = await server.command(['passkey', 'import', '-'], `quick,${imported}\nnobody,x\n`);
  assert.deepEqual([wrong.exitCode, /^line 2: /m.test(wrong.stdout)], [1, true]);
  await server.json(['passkey', 'import', '-'], `name,passkey\nquick,${imported}\n`);
  await waitFor('the imported passkey', secondMs, async () =>
    (await announce(imported, hash)).includes('8:interval') ? true : undefined,
  );
  assert.match(await announce(passkey, hash), /failure reason/);
  passkey = imported;
  await server.json(['torrent', 'rm', hash, '--reason', 'replaced by quick-2']);
  await waitFor('the removal', secondMs, async () =>
    (await announce(passkey, hash)).includes('replaced by quick-2') ? true : undefined,
  );
});

test('SIGTERM and SIGINT end an idle server with exit code 0 within three seconds', async () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    await server.start();
    const msMax = END_MS_MAX * (await slowness());
    const startedMs = performance.now();
    assert.equal(await server.end(signal), 0);
    const tookMs = performance.now() - startedMs;
    assert.ok(tookMs < msMax, `${signal}: ${tookMs} ms of ${msMax}`);
  }
});
