// Syncs as an operator meets them: a server that is killed again and again while it copies to a real S3
// service, a far store that is away, and garbage that goes while the server runs.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { SystemClock } from '#base/clock.ts';
import { SystemRandom } from '#base/random.ts';
import { Registry } from '#metrics/registry.ts';
import { NodeHttpClient } from '#net/http-client.ts';
import { s3Config } from '#store/config.ts';
import { S3Store } from '#store/s3/s3.ts';
import { S3Endpoint } from '#store/s3/s3-endpoint.ts';
import { SWIFT_CREDENTIALS, Swift, swiftMissing } from '#store/s3/test-swift.ts';
import { pause, TestServer, waitFor } from './server.ts';

interface Status {
  readonly sync: string;
  readonly lagBlobs: number;
  readonly comparedMs: number | null;
  readonly unacknowledged: number;
  readonly isOpen: boolean;
}

let root: string;
before(() => {
  root = mkdtempSync(join(tmpdir(), 'swarmkeep-e2e-sync-'));
});
after(() => rmSync(root, { recursive: true, force: true }));

function makeFiles(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, n) => {
    const path = join(root, `${prefix}-${n}`);
    writeFileSync(path, randomBytes(1000 + n * 100));
    return path;
  });
}

async function caughtUp(server: TestServer): Promise<Status> {
  return await waitFor('the sync to catch up', 180_000, async () => {
    const [status] = await server.json<Status>(['store', 'syncs']);
    const isDone = status !== undefined && status.lagBlobs === 0 && status.comparedMs !== null;
    return isDone ? status : undefined;
  });
}

async function namesIn(server: TestServer): Promise<string[]> {
  return (await server.json<{ ref: string }>(['store', 'ls'])).map(({ ref }) => ref);
}

const noSwift = swiftMissing();

test('a server killed again and again while it syncs to Swift loses no blob it answered', {
  skip: noSwift ?? false,
}, async () => {
  const swift = await Swift.start();
  const http = new NodeHttpClient();
  const config = { ...s3Config.parse({}), endpoint: swift.endpoint, bucket: 'copies' };
  const world = {
    ...{ clock: new SystemClock(), random: new SystemRandom(), metrics: new Registry(), http },
    ...{ config, credentials: SWIFT_CREDENTIALS },
  };
  const keyFile = join(root, 'keys');
  const { accessKeyId, secretAccessKey } = SWIFT_CREDENTIALS;
  writeFileSync(
    keyFile,
    `aws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`,
  );
  const server = await TestServer.prepare({
    settings: {
      'store.syncs': 's3(far/)',
      's3.endpoint': swift.endpoint,
      's3.bucket': 'copies',
      's3.keyFile': keyFile,
    },
  });
  try {
    const made = await new S3Endpoint(world).send({ method: 'PUT', key: '' });
    assert.equal(made.status, 200);
    for (let life = 0; life < 3; life++) {
      await server.start();
      await server.json(['store', 'put', ...makeFiles(`life${life}`, 10)]);
      await server.end('SIGKILL');
    }
    await server.start();
    const { unacknowledged } = await caughtUp(server);
    assert.equal(unacknowledged, 0);
    const far = await S3Store.open({ ...world, config: { ...config, prefix: 'far/' } });
    const there = (await far.list()).map(({ ref }) => ref);
    assert.deepEqual(there, await namesIn(server));
    assert.equal(there.length, 30);
    await far.close();
    const metrics = await (await fetch(`${server.siteUrl}/metrics`)).text();
    assert.match(metrics, /swarmkeep_store_sync_lag_blobs\{sync="s3\(far\/\)"\} 0\n/);
  } finally {
    await server.remove();
    http.close();
    await swift.stop();
  }
});

test('a far store that cannot be opened keeps no put from its answer, and gets everything later', async () => {
  // A file stands where its folder would be.
  const far = join(root, 'far');
  writeFileSync(far, '');
  const server = await TestServer.prepare({ settings: { 'store.syncs': `directory(${far})` } });
  try {
    await server.start();
    await server.json(['store', 'put', ...makeFiles('away', 10)]);
    const [status] = await server.json<Status>(['store', 'syncs']);
    assert.equal(status?.isOpen, false);
    await server.end('SIGKILL');
    rmSync(far);
    await server.start();
    await caughtUp(server);
    const compared = await server.json<{ copied: number; seen: number }>([
      ...['store', 'sync', 'current', `directory(${far})`],
    ]);
    assert.deepEqual(
      compared.map(({ seen, copied }) => [seen, copied]),
      [[10, 0]],
    );
  } finally {
    await server.remove();
  }
});

test('garbage goes a while after nothing refers to it, and never before, also over a kill', async () => {
  const server = await TestServer.prepare({ settings: { 'store.garbageAgeMs': 2000 } });
  try {
    await server.start();
    const put = await server.json<{ ref: string }>(['store', 'put', ...makeFiles('gc', 6)]);
    const refs = put.map(({ ref }) => ref);
    await server.json(['store', 'unpin', ...refs.slice(1)]);
    const collect = async (...words: string[]) =>
      (await server.json<Record<string, number>>(['store', 'gc', ...words]))[0];
    assert.equal((await collect())?.['removedBlobs'], 0);
    await server.end('SIGKILL');
    await server.start();
    await pause(2100);
    // Put again, it stays, though its mark was old enough.
    await server.json(['store', 'put', join(root, 'gc-1')]);
    assert.equal((await collect('--dry-run'))?.['dueBlobs'], 4);
    assert.equal((await namesIn(server)).length, 6);
    assert.equal((await collect())?.['removedBlobs'], 4);
    assert.deepEqual(await namesIn(server), refs.slice(0, 2).sort());
    const nobody = await server.command(['store', 'unpin', 'sha256-zz']);
    assert.equal(nobody.exitCode, 2);
  } finally {
    await server.remove();
  }
});
