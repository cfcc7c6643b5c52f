// The S3 store against a double with faults. A real service is in s3.server.test.ts, the pauses between
// attempts are in s3-endpoint.test.ts.

import assert from 'node:assert/strict';
import { after, afterEach, describe, it } from 'node:test';
import { inspect } from 'node:util';
import { utf8 } from '#base/bytes.ts';
import { SystemClock } from '#base/clock.ts';
import { SystemRandom } from '#base/random.ts';
import { Registry } from '#metrics/registry.ts';
import { type HttpAnswer, NodeHttpClient } from '#net/http-client.ts';
import { type S3Config, s3Config } from '#store/config.ts';
import type { StoreErrorCode } from '#store/errors.ts';
import { describeStore } from '#store/store.conformance.ts';
import { refOf, type Store } from '#store/store.ts';
import { S3Store } from './s3.ts';
import type { S3World } from './s3-endpoint.ts';
import {
  DOUBLE_BUCKET,
  DOUBLE_KEYS,
  type DoubleRequest,
  S3Double,
  type S3Fault,
} from './test-s3-double.ts';

const PREFIX = 'keep/';
const http = new NodeHttpClient();
const PATIENT_MS = 30_000;
/** Short only where silence is meant to be noticed: on a busy machine healthy answers take their time. */
let idleMs = PATIENT_MS;
const doubles: S3Double[] = [];

after(() => http.close());
afterEach(async () => {
  idleMs = PATIENT_MS;
  for (const double of doubles.splice(0)) await double.stop();
});

async function startDouble(): Promise<S3Double> {
  const double = await S3Double.start();
  doubles.push(double);
  return double;
}

function worldOf(double: S3Double, config: Partial<S3Config> = {}): S3World {
  return {
    clock: new SystemClock(),
    random: new SystemRandom(),
    metrics: new Registry(),
    http: {
      send: (asked) => http.send({ ...asked, idleMsMax: idleMs }),
      close: () => {},
    },
    config: {
      ...s3Config.parse({}),
      endpoint: double.endpoint,
      bucket: DOUBLE_BUCKET,
      prefix: PREFIX,
      retryMsMin: 1,
      retryMsMax: 4,
      ...config,
    },
    credentials: DOUBLE_KEYS,
  };
}

describeStore('s3 (double)', async () => {
  const double = await S3Double.start();
  const store = await S3Store.open(worldOf(double));
  return {
    store,
    reopen: async () => {
      await store.close();
      return await S3Store.open(worldOf(double));
    },
    dispose: () => double.stop(),
  };
});

const OLD = [utf8('a blob'), utf8('another'), utf8('a third'), utf8('a fourth')];
const OLD_REFS = OLD.map(refOf).sort();
const NEW = utf8('new here');

/** Until it gave a fault. */
function once(fault: S3Double['fault']): S3Double['fault'] {
  let isOver = false;
  return (request) => {
    const given = isOver ? undefined : fault(request);
    isOver ||= given !== undefined;
    return given;
  };
}

/** The answer to a HEAD has no words to tell which 400 it is. */
function isMute(fault: S3Fault, { method }: DoubleRequest): boolean {
  return method === 'HEAD' && typeof fault === 'object' && fault.status === 400;
}

function fill(double: S3Double): void {
  double.objects.clear();
  for (const blob of OLD) double.objects.set(`${PREFIX}${refOf(blob)}`, blob);
}

/** What each operation must give and leave behind, whatever happened on the way. */
const OPERATIONS: Readonly<
  Record<string, { run: (store: Store, signal?: AbortSignal) => Promise<unknown>; gives: unknown }>
> = {
  put: {
    run: (store, signal) => store.put(NEW, { signal }),
    gives: { ref: refOf(NEW), bytes: NEW.byteLength, new: true },
  },
  get: {
    run: async (store, signal) => Buffer.from(await store.get(refOf(OLD[1]!), { signal })),
    gives: Buffer.from(OLD[1]!),
  },
  stat: {
    run: (store, signal) => store.stat([refOf(NEW), refOf(OLD[0]!)], { signal }),
    gives: [{ ref: refOf(OLD[0]!), bytes: OLD[0]!.byteLength }],
  },
  list: {
    run: async (store, signal) => (await store.list({ signal })).map(({ ref }) => ref),
    gives: OLD_REFS,
  },
  remove: {
    run: (store, signal) => store.remove([refOf(NEW), refOf(OLD[2]!)], { signal }),
    gives: 1,
  },
};

function checkLeft(double: S3Double, name: string): void {
  const left = [...double.objects.keys()].sort();
  const refs = new Set<string>(OLD_REFS);
  if (name === 'put') refs.add(refOf(NEW));
  if (name === 'remove') refs.delete(refOf(OLD[2]!));
  assert.deepEqual(left, [...refs].map((ref) => `${PREFIX}${ref}`).sort());
}

describe('an S3 store and what may happen on the way', () => {
  const faults: Readonly<Record<string, S3Fault>> = {
    'slow down': { status: 503, code: 'SlowDown', headers: { 'retry-after': '0' } },
    'internal error': { status: 500, code: 'InternalError' },
    'bad gateway': { status: 502 },
    'too many requests': { status: 429 },
    'timed out there': { status: 400, code: 'RequestTimeout' },
    'changed on the way': { status: 400, code: 'BadDigest' },
    silence: 'silent',
    'cut before': 'cut',
    'lost answer': 'lost',
    'half an answer': 'half',
    'a page of a proxy': 'page',
    'byte by byte': 'slow',
  };
  for (const [what, fault] of Object.entries(faults)) {
    it(`each operation survives at each of its requests: ${what}`, async () => {
      const double = await startDouble();
      double.keysPerPageMax = 3;
      const store = await S3Store.open(worldOf(double));
      if (fault === 'silent') idleMs = 250;
      for (const [name, { run, gives }] of Object.entries(OPERATIONS)) {
        for (let at = 1; at < 10; at++) {
          fill(double);
          double.requests.length = 0;
          double.fault = once((request) =>
            double.requests.length === at && !isMute(fault, request) ? fault : undefined,
          );
          assert.deepEqual(await run(store), gives, `${name}, request ${at}`);
          checkLeft(double, name);
          if (double.requests.length < at) break;
        }
      }
      await store.close();
    });
  }

  it('two faults in a row, at every request, are survived too', async () => {
    const double = await startDouble();
    const store = await S3Store.open(worldOf(double));
    for (const { run, gives } of Object.values(OPERATIONS)) {
      fill(double);
      let count = 0;
      double.fault = () => {
        const turn = count++ % 3;
        return turn === 0 ? 'lost' : turn === 1 ? { status: 503 } : undefined;
      };
      assert.deepEqual(await run(store), gives);
    }
    await store.close();
  });

  it('every operation can be cancelled at every request, and in the pause before the next', async () => {
    const double = await startDouble();
    for (const fault of ['silent', { status: 503, headers: { 'retry-after': '60' } }] as const) {
      for (const { run } of Object.values(OPERATIONS)) {
        for (let at = 1; at < 10; at++) {
          fill(double);
          const store = await S3Store.open(worldOf(double));
          const controller = new AbortController();
          double.requests.length = 0;
          let isReached = false;
          double.fault = () => {
            if (double.requests.length < at) return undefined;
            isReached = true;
            setTimeout(() => controller.abort(), 5);
            return fault;
          };
          const done = run(store, controller.signal);
          if (isReached || (await settlesOrReaches(done, () => isReached)) === 'reached') {
            await assert.rejects(done, { code: 'STORE_CANCELLED' });
          }
          double.fault = () => undefined;
          await store.close();
          if (!isReached) break;
        }
      }
    }
  });

  it('reads end with STORE_CLOSED when the store is closed, puts are answered', async () => {
    const double = await startDouble();
    const store = await S3Store.open(worldOf(double, { attemptsMax: 100 }));
    idleMs = 250;
    fill(double);
    let silences = 0;
    double.fault = ({ method }) => (method === 'GET' || silences++ < 2 ? 'silent' : undefined);
    const reading = assert.rejects(store.get(refOf(OLD[0]!)), { code: 'STORE_CLOSED' });
    const putting = store.put(NEW);
    while (double.requests.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    await store.close();
    assert.equal((await putting).new, true);
    await reading;
  });

  it('keeps to its number of requests at once', async () => {
    const double = await startDouble();
    const store = await S3Store.open(worldOf(double, { requestsAtOnceMax: 3 }));
    const blobs = Array.from({ length: 20 }, (_, n) => utf8(`blob ${n}`));
    double.fault = () => 'slow';
    await Promise.all(blobs.map((blob) => store.put(blob)));
    await Promise.all(blobs.map((blob) => store.get(refOf(blob))));
    assert.equal((await store.stat(blobs.map(refOf))).length, 20);
    assert.equal(await store.remove(blobs.map(refOf)), 20);
    assert.equal(double.underWayMost, 3);
    await store.close();
  });
});

async function settlesOrReaches(
  done: Promise<unknown>,
  isReached: () => boolean,
): Promise<'settled' | 'reached'> {
  let isSettled = false;
  const settle = (): void => {
    isSettled = true;
  };
  done.then(settle, settle);
  while (!isSettled && !isReached()) await new Promise((resolve) => setTimeout(resolve, 2));
  return isReached() ? 'reached' : 'settled';
}

describe('an S3 store and what cannot be survived', () => {
  const refusals: readonly (readonly [StoreErrorCode, S3Fault])[] = [
    ['STORE_S3_DENIED', { status: 403, code: 'AccessDenied' }],
    ['STORE_S3_DENIED', { status: 403, code: 'SignatureDoesNotMatch' }],
    ['STORE_S3_DENIED', { status: 400, code: 'ExpiredToken' }],
    ['STORE_S3_BUCKET_MISSING', { status: 404, code: 'NoSuchBucket' }],
    ['STORE_S3_REGION_WRONG', { status: 301, code: 'PermanentRedirect' }],
    ['STORE_S3_CLOCK_WRONG', { status: 403, code: 'RequestTimeTooSkewed' }],
    ['STORE_S3_UNAVAILABLE', { status: 503, code: 'SlowDown' }],
    ['STORE_S3_UNREACHABLE', 'cut'],
    ['STORE_S3_UNREACHABLE', 'silent'],
    ['STORE_S3_REFUSED', { status: 501, code: 'NotImplemented' }],
    ['STORE_S3_ANSWER_INVALID', { status: 404 }],
    ['STORE_S3_ANSWER_INVALID', 'page'],
  ];
  for (const [code, fault] of refusals) {
    const what = typeof fault === 'string' ? fault : `${fault.status} ${fault.code ?? ''}`;
    it(`${what} is told as ${code}, at the start and later`, async () => {
      const double = await startDouble();
      const world = worldOf(double, { attemptsMax: 3 });
      fill(double);
      const store = await S3Store.open(world);
      double.fault = () => fault;
      if (fault === 'silent') idleMs = 50;
      const refused = (error: Error & { code?: string }): boolean => {
        assert.equal(error.code, code);
        assert.ok(error.message.includes(`"${DOUBLE_BUCKET}"`), error.message);
        return true;
      };
      await assert.rejects(S3Store.open(world), refused);
      await assert.rejects(store.list(), refused);
      if (fault !== 'page') await assert.rejects(store.get(refOf(OLD[0]!)), refused);
      await store.close();
    });
  }

  it('wrong keys, bucket, region, clock and address are found when it is opened', async () => {
    const double = await startDouble();
    const usual = worldOf(double);
    const clock = new SystemClock();
    const isLate = {
      nowMs: () => clock.nowMs() - 3_600_000,
      monotonicMs: () => clock.monotonicMs(),
      after: clock.after.bind(clock),
    };
    const worlds: readonly (readonly [StoreErrorCode, S3World, RegExp])[] = [
      [
        'STORE_S3_DENIED',
        { ...usual, credentials: { accessKeyId: 'AKOTHER', secretAccessKey: 'a-secret' } },
        /InvalidAccessKeyId/,
      ],
      ['STORE_S3_BUCKET_MISSING', worldOf(double, { bucket: 'elsewhere' }), /elsewhere/],
      ['STORE_S3_REGION_WRONG', worldOf(double, { region: 'mars-1' }), /region is us-east-1/],
      ['STORE_S3_CLOCK_WRONG', { ...usual, clock: isLate }, /clock is -3[56]\d\d s ahead/],
      ['STORE_S3_SETTINGS_INVALID', worldOf(double, { bucket: '' }), /no bucket is set/],
      ['STORE_S3_SETTINGS_INVALID', worldOf(double, { endpoint: '' }), /no endpoint is set/],
      ['STORE_S3_SETTINGS_INVALID', worldOf(double, { prefix: 'a/../b/' }), /cannot begin/],
      ['STORE_S3_SETTINGS_INVALID', worldOf(double, { prefix: './' }), /cannot begin/],
    ];
    for (const [code, world, message] of worlds) {
      await assert.rejects(S3Store.open(world), { code, message });
    }
    await double.stop();
    doubles.length = 0;
    await assert.rejects(S3Store.open(usual), { code: 'STORE_S3_UNREACHABLE' });
  });

  it('gives up when an operation has taken its time, though no request has', async () => {
    const double = await startDouble();
    const store = await S3Store.open(worldOf(double, { callMsMax: 300, attemptsMax: 100 }));
    double.fault = () => 'silent';
    await assert.rejects(store.get(refOf(OLD[0]!)), { code: 'STORE_S3_UNREACHABLE' });
    await store.close();
  });

  it('says nothing of the secret in an error', async () => {
    const double = await startDouble();
    double.fault = () => ({ status: 403, code: 'SignatureDoesNotMatch' });
    const error = await S3Store.open(worldOf(double)).then(
      () => undefined,
      (reason) => reason,
    );
    assert.equal(error.code, 'STORE_S3_DENIED');
    assert.ok(!inspect(error, { depth: 20 }).includes(DOUBLE_KEYS.secretAccessKey));
  });
});

describe('an S3 store and wrong bytes', () => {
  it('asks once more, then tells; the next put heals what is wrong there', async () => {
    const double = await startDouble();
    const store = await S3Store.open(worldOf(double));
    fill(double);
    for (const fault of ['flipped', 'short'] as const) {
      double.fault = once(() => fault);
      assert.deepEqual(Buffer.from(await store.get(refOf(OLD[0]!))), Buffer.from(OLD[0]!));
    }
    double.fault = () => undefined;
    const blob = OLD[3]!;
    const key = `${PREFIX}${refOf(blob)}`;
    const wrong = [utf8('x'.repeat(blob.byteLength)), blob.slice(1), new Uint8Array(0)];
    wrong.push(new Uint8Array(17 * 1024 * 1024));
    for (const bytes of wrong) {
      double.objects.set(key, bytes);
      await assert.rejects(store.get(refOf(blob)), { code: 'STORE_CORRUPT_BLOB' });
      assert.equal((await store.put(blob)).new, true);
      assert.deepEqual(Buffer.from(await store.get(refOf(blob))), Buffer.from(blob));
      assert.equal((await store.put(blob)).new, false);
    }
    await store.close();
  });

  it('sends the checksum that is configured', async () => {
    for (const [putChecksum, header, value] of [
      ['md5', 'content-md5', 'XUFAKrxLKna5cZ2REBfFkg=='],
      ['sha256', 'x-amz-checksum-sha256', 'LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ='],
      ['none', 'content-md5', undefined],
    ] as const) {
      const double = await startDouble();
      const store = await S3Store.open(worldOf(double, { putChecksum }));
      await store.put(utf8('hello'));
      const put = double.requests.find(({ method }) => method === 'PUT');
      assert.equal(put?.headers[header], value);
      assert.equal(put?.headers['content-length'], '5');
      assert.equal(put?.headers['transfer-encoding'], undefined);
      await store.close();
    }
  });
});

describe('an S3 store and listings', () => {
  it('goes through pages, with tokens and without, and leaves foreign names alone', async () => {
    for (const hasTokens of [true, false]) {
      const double = await startDouble();
      double.keysPerPageMax = 3;
      double.hasTokens = hasTokens;
      const world = worldOf(double);
      const store = await S3Store.open(world);
      const blobs = Array.from({ length: 20 }, (_, n) => utf8(`blob ${n}`));
      for (const blob of blobs) await store.put(blob);
      const refs = blobs.map(refOf).sort();
      const foreign = [
        'outside',
        `${PREFIX}notes & more <x>.txt`,
        `${PREFIX}sha256-short`,
        `${PREFIX}${refs[5]}.bak`,
        `${PREFIX}${refs[5]}/ä`,
        `${PREFIX}${refs[6]}+1`,
        refs[0]!,
      ];
      for (const key of foreign) double.objects.set(key, utf8('mine'));
      const names = async (options?: Parameters<Store['list']>[0]): Promise<string[]> =>
        (await store.list(options)).map(({ ref }) => ref);
      assert.deepEqual(await names(), refs);
      const isByToken = double.requests.some(({ query }) => query.has('continuation-token'));
      assert.equal(isByToken, hasTokens);
      assert.equal(countOf(world.metrics, 'swarmkeep_store_s3_foreign_keys_total'), 4);
      assert.deepEqual(await names({ limit: 5, after: refs[3]! }), refs.slice(4, 9));
      assert.deepEqual(await names({ after: refs[19]! }), []);
      assert.equal((await store.stats()).blobs, 20);
      await store.remove(refs.slice(0, 20) as never);
      assert.deepEqual([...double.objects.keys()].sort(), foreign.sort());
      await store.close();
    }
  });

  it('refuses a service that lists out of order or in a circle', async () => {
    const world = worldOf(await startDouble());
    const page = (keys: readonly string[], more: string): string =>
      `<ListBucketResult>${more}${keys
        .map((key) => `<Contents><Key>${PREFIX}${key}</Key><Size>1</Size></Contents>`)
        .join('')}</ListBucketResult>`;
    const [low = '', high = ''] = OLD_REFS;
    const end = '<IsTruncated>false</IsTruncated>';
    const more = '<IsTruncated>true</IsTruncated>';
    for (const body of [
      page([high, low], end),
      page([low, low], end),
      page([], more),
      page([], `${more}<NextContinuationToken>again</NextContinuationToken>`),
      page(['other'], more),
    ]) {
      let answers = 0;
      const send = async (): Promise<HttpAnswer> => {
        assert.ok(answers++ < 10, 'it would go on for ever');
        return { status: 200, headers: {}, body: utf8(body) };
      };
      const store = await S3Store.open({ ...world, http: { send, close: () => {} } });
      await assert.rejects(store.list(), { code: 'STORE_S3_ANSWER_INVALID' });
    }
  });
});

function countOf(metrics: Registry, name: string): number | undefined {
  return metrics.collect().find((metric) => metric.name === name)?.series[0]?.value;
}
