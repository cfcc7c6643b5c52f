// The S3 store against a real service, OpenStack Swift, which is strict about signatures, digests and
// the clock. What it cannot do on demand is in s3.test.ts.

import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { SystemClock } from '#base/clock.ts';
import { SystemRandom } from '#base/random.ts';
import { Registry } from '#metrics/registry.ts';
import { NodeHttpClient } from '#net/http-client.ts';
import { type S3Config, s3Config } from './config.ts';
import { S3Store } from './s3.ts';
import { S3Endpoint, type S3World } from './s3-endpoint.ts';
import { describeStore } from './store.conformance.ts';
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

  describeStore('s3 (Swift)', async () => {
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
  });
});
