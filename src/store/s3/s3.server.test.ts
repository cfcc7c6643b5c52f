// The S3 store against a real service, OpenStack Swift, which is strict about signatures, digests and
// the clock. What it cannot do on demand is in s3.test.ts.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { SystemClock } from '#base/clock.ts';
import { SystemRandom } from '#base/random.ts';
import { Registry } from '#metrics/registry.ts';
import { NodeHttpClient } from '#net/http-client.ts';
import { type S3Config, s3Config } from '#store/config.ts';
import { describeStore, type StoreUnderTest } from '#store/store.conformance.ts';
import { refOf } from '#store/store.ts';
import { S3Store } from './s3.ts';
import { S3Endpoint, type S3World } from './s3-endpoint.ts';
import { SWIFT_CREDENTIALS, Swift, swiftMissing } from './test-swift.ts';

const skip = swiftMissing();
const http = new NodeHttpClient();
let swift: Swift | undefined;
let buckets = 0;

function world(config: Partial<S3Config>): S3World {
  return {
    clock: new SystemClock(),
    random: new SystemRandom(),
    metrics: new Registry(),
    http,
    config: { ...s3Config.parse({}), endpoint: swift?.endpoint ?? '', ...config },
    credentials: SWIFT_CREDENTIALS,
  };
}

async function newBucket(): Promise<string> {
  const bucket = `blobs-${++buckets}`;
  const made = await new S3Endpoint(world({ bucket })).send({ method: 'PUT', key: '' });
  assert.equal(made.status, 200);
  return bucket;
}

describe('with Swift', { skip: skip ?? false }, () => {
  before(async () => {
    swift = await Swift.start();
  });
  after(async () => {
    http.close();
    await swift?.stop();
  });

  const open = async (): Promise<StoreUnderTest> => {
    const config = { bucket: await newBucket(), prefix: 'keep/' };
    const store = await S3Store.open(world(config));
    return {
      store,
      reopen: async () => {
        await store.close();
        return await S3Store.open(world(config));
      },
      dispose: async () => {},
    };
  };
  describeStore('s3 (Swift)', open, { isSlow: true });

  it('wrong keys, a wrong clock, a missing bucket and bytes that were changed are refused', async () => {
    const bucket = await newBucket();
    const usual = world({ bucket, attemptsMax: 2, retryMsMax: 1 });
    const wrong = { ...SWIFT_CREDENTIALS, secretAccessKey: 'wrong' };
    const { clock } = usual;
    const isLate = {
      nowMs: () => clock.nowMs() - 3_600_000,
      monotonicMs: () => clock.monotonicMs(),
      after: clock.after.bind(clock),
    };
    for (const [code, tried] of [
      ['STORE_S3_DENIED', { ...usual, credentials: wrong }],
      ['STORE_S3_CLOCK_WRONG', { ...usual, clock: isLate }],
      ['STORE_S3_BUCKET_MISSING', world({ bucket: 'not-there' })],
      ['STORE_S3_REGION_WRONG', world({ bucket, region: 'eu-1' })],
    ] as const) {
      await assert.rejects(S3Store.open(tried), { code });
    }
    const body = { bytes: utf8('changed'), sha256: refOf(utf8('sent')).slice('sha256-'.length) };
    const put = new S3Endpoint(usual).send({ method: 'PUT', key: 'name', body });
    await assert.rejects(put, { code: 'STORE_S3_REFUSED', message: /BadDigest/ });
  });

  it('takes each kind of further checksum', async () => {
    const bucket = await newBucket();
    for (const putChecksum of ['none', 'md5', 'sha256'] as const) {
      const store = await S3Store.open(world({ bucket, putChecksum }));
      const { ref } = await store.put(utf8(putChecksum));
      assert.deepEqual(Buffer.from(await store.get(ref)).toString(), putChecksum);
      await store.close();
    }
  });
});
