// What is sent and when it is sent again, with a simulated clock and a service that follows a script.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { SeededRandom } from '#base/random.ts';
import { Registry } from '#metrics/registry.ts';
import { NetError } from '#net/errors.ts';
import type { HttpAnswer, HttpRequest } from '#net/http-client.ts';
import { SimClock } from '#sim/clock.ts';
import { type S3Config, s3Config } from '#store/config.ts';
import { S3Endpoint } from './s3-endpoint.ts';

type Step = HttpAnswer | 'broken' | 'untrusted';

interface Scripted {
  readonly endpoint: S3Endpoint;
  readonly clock: SimClock;
  readonly sent: HttpRequest[];
  /** Monotonic time of each. */
  readonly sentAtMs: number[];
  readonly metrics: Registry;
}

/** The last step is repeated. */
function scripted(steps: readonly Step[], config: Partial<S3Config> = {}): Scripted {
  const clock = new SimClock();
  const metrics = new Registry();
  const sent: HttpRequest[] = [];
  const sentAtMs: number[] = [];
  const send = async (asked: HttpRequest): Promise<HttpAnswer> => {
    sentAtMs.push(clock.monotonicMs());
    sent.push(asked);
    const step = steps[Math.min(sent.length, steps.length) - 1];
    if (step === 'broken') throw new NetError('NET_HTTP_FAILED', 'No answer');
    if (step === 'untrusted' || step === undefined) {
      throw new NetError('NET_HTTP_UNTRUSTED', 'No answer');
    }
    return step;
  };
  const endpoint = new S3Endpoint({
    clock,
    random: new SeededRandom(7),
    metrics,
    http: { send, close: () => {} },
    config: {
      ...s3Config.parse({}),
      endpoint: 'https://s3.example.org',
      bucket: 'blobs',
      ...config,
    },
    credentials: { accessKeyId: 'AK', secretAccessKey: 'secret', sessionToken: 'token' },
  });
  return { endpoint, clock, sent, sentAtMs, metrics };
}

function answer(status: number, headers: Record<string, string> = {}): HttpAnswer {
  return { status, headers, body: new Uint8Array(0) };
}

const GET = { method: 'GET', key: 'name' } as const;

describe('an S3 endpoint', () => {
  it('waits twice as long before each attempt, up to a bound, and gives up after the last', async () => {
    const { endpoint, clock, sentAtMs } = scripted([answer(503)], {
      attemptsMax: 8,
      retryMsMin: 100,
      retryMsMax: 1000,
    });
    await assert.rejects(clock.until(endpoint.send(GET)), { code: 'STORE_S3_UNAVAILABLE' });
    assert.equal(sentAtMs.length, 8);
    for (const [at, fullMs] of [100, 200, 400, 800, 1000, 1000, 1000].entries()) {
      const pauseMs = sentAtMs[at + 1]! - sentAtMs[at]!;
      assert.ok(pauseMs >= fullMs / 2 && pauseMs <= fullMs + 1, `pause ${at}: ${pauseMs}`);
    }
  });

  it('waits as long as the service asks, in seconds or until a date', async () => {
    const date = new Date(new SimClock().nowMs() + 90_000).toUTCString();
    for (const [header, fromMs] of [
      ['7', 7000],
      [date, 90_000],
      ['soon', 0],
      ['-5', 0],
    ] as const) {
      const { endpoint, clock, sentAtMs } = scripted([
        answer(503, { 'retry-after': header }),
        answer(200),
      ]);
      await clock.until(endpoint.send(GET));
      assert.ok(sentAtMs[1]! >= fromMs && sentAtMs[1]! <= fromMs + 200, `${header}`);
    }
  });

  it('does not wait for what comes after its time is over', async () => {
    const { endpoint, clock, sent } = scripted([answer(503, { 'retry-after': '3600' })]);
    await assert.rejects(clock.until(endpoint.send(GET)), { code: 'STORE_S3_UNAVAILABLE' });
    assert.equal(sent.length, 1);
    assert.equal(clock.monotonicMs(), 0);
  });

  it('tries a broken connection again, a certificate that is not trusted never', async () => {
    const broken = scripted(['broken', 'broken', answer(200)]);
    assert.equal((await broken.clock.until(broken.endpoint.send(GET))).status, 200);
    const untrusted = scripted(['untrusted']);
    await assert.rejects(untrusted.endpoint.send(GET), { code: 'STORE_S3_UNREACHABLE' });
    assert.equal(untrusted.sent.length, 1);
  });

  it('writes the bucket into the path or into the host, and keeps a path of the endpoint', async () => {
    const key = 'keep/sha256-00';
    for (const [config, url] of [
      [{}, 'https://s3.example.org/blobs/keep/sha256-00'],
      [{ pathStyle: false }, 'https://blobs.s3.example.org/keep/sha256-00'],
      [{ endpoint: 'http://[::1]:9000/s3/' }, 'http://[::1]:9000/s3/blobs/keep/sha256-00'],
    ] as const) {
      const { endpoint, sent } = scripted([answer(200)], config);
      await endpoint.send({ method: 'GET', key });
      assert.equal(sent[0]?.url.href, url);
      await endpoint.send({ method: 'GET', key: '', query: { prefix: 'keep/+ &' } });
      assert.equal(sent[1]?.url.searchParams.get('prefix'), 'keep/+ &');
    }
  });

  it('signs each attempt with the time it is sent at, the body’s hash and the session', async () => {
    const { endpoint, clock, sent } = scripted([answer(503), answer(200)], { idleMsMax: 1234 });
    const body = { bytes: utf8('hello'), sha256: 'ab'.repeat(32) };
    clock.advance(3_600_000);
    await clock.until(endpoint.send({ method: 'PUT', key: 'name', body }));
    assert.equal(sent[0]?.headers['x-amz-date'], '20260101T010000Z');
    assert.equal(sent[0]?.headers['x-amz-content-sha256'], body.sha256);
    assert.equal(sent[0]?.headers['X-Amz-Security-Token'], 'token');
    assert.equal(sent[0]?.idleMsMax, 1234);
    assert.match(
      sent[0]?.headers['Authorization'] ?? '',
      /^AWS4-HMAC-SHA256 Credential=AK\/20260101\/us-east-1\/s3\/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token, Signature=[0-9a-f]{64}$/,
    );
    assert.ok(!JSON.stringify(sent).includes('secret'));
  });

  it('counts requests by method and result', async () => {
    const { endpoint, clock, metrics } = scripted(['broken', answer(404), answer(400)]);
    await clock.until(endpoint.send({ method: 'HEAD', key: 'name' }));
    await assert.rejects(clock.until(endpoint.send({ method: 'HEAD', key: 'name' })), {
      code: 'STORE_S3_REFUSED',
    });
    const [requests] = metrics.collect();
    assert.equal(requests?.name, 'swarmkeep_store_s3_requests_total');
    assert.deepEqual(
      requests?.series.map(({ labels, value }) => `${labels.map(([, it]) => it)} ${value}`).sort(),
      ['HEAD,again 1', 'HEAD,failed 1', 'HEAD,missing 1'],
    );
  });
});
