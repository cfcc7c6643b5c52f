// One who puts and gets in the S3 benchmark, in a process of its own. Arguments: the endpoint, how many
// blobs, a first number, and for the AWS SDK the folder it is installed in. Prints what it took as JSON.

import { createRequire } from 'node:module';
import { SystemClock } from '#base/clock.ts';
import type { BlobRef } from '#base/ids.ts';
import { SystemRandom } from '#base/random.ts';
import { Registry } from '#metrics/registry.ts';
import { NodeHttpClient } from '#net/http-client.ts';
import { s3Config } from '#store/config.ts';
import { S3Store } from '#store/s3/s3.ts';
import { S3_BLOB_BYTES, s3Blob, s3Filling } from './s3-blobs.ts';

const AT_ONCE = 16;
const CREDENTIALS = { accessKeyId: 'key', secretAccessKey: 'secret' };

export interface S3Taken {
  readonly putMs: number;
  readonly putCpuMs: number;
  readonly getMs: number;
  readonly getCpuMs: number;
}

interface Contender {
  put(number: number, blob: Uint8Array): Promise<void>;
  get(number: number): Promise<Uint8Array>;
}

const [endpoint = '', blobs = '', first = '', sdkFolder] = process.argv.slice(2);
const contender = sdkFolder === undefined ? await ours() : sdk(sdkFolder);
const filling = s3Filling();
// What is measured is not the first of its kind.
for (const number of [0, 1, 2]) {
  await contender.put(Number(first) + 1_000_000 + number, s3Blob(filling, 2 ** 40 + number));
  await contender.get(Number(first) + 1_000_000 + number);
}
const put = await measure((number) => contender.put(number, s3Blob(filling, number)));
const get = await measure(async (number) => {
  const { byteLength } = await contender.get(number);
  if (byteLength !== S3_BLOB_BYTES) throw new Error(`${byteLength} bytes came back`);
});
const taken: S3Taken = { putMs: put.ms, putCpuMs: put.cpuMs, getMs: get.ms, getCpuMs: get.cpuMs };
process.stdout.write(`${JSON.stringify(taken)}\n`);
process.exit(0);

async function measure(work: (number: number) => Promise<void>) {
  const sinceMs = performance.now();
  const since = process.cpuUsage();
  let next = 0;
  const takeTurns = async (): Promise<void> => {
    while (next < Number(blobs)) await work(Number(first) + next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, takeTurns));
  const { user, system } = process.cpuUsage(since);
  return { ms: performance.now() - sinceMs, cpuMs: (user + system) / 1000 };
}

async function ours(): Promise<Contender> {
  const store = await S3Store.open({
    clock: new SystemClock(),
    random: new SystemRandom(),
    metrics: new Registry(),
    http: new NodeHttpClient(),
    config: { ...s3Config.parse({}), endpoint, bucket: 'blobs', requestsAtOnceMax: AT_ONCE },
    credentials: CREDENTIALS,
  });
  const refs = new Map<number, BlobRef>();
  return {
    put: async (number, blob) => void refs.set(number, (await store.put(blob)).ref),
    get: (number) => store.get(refs.get(number)!),
  };
}

interface Sdk {
  readonly S3: new (
    options: object,
  ) => {
    putObject(asked: object): Promise<unknown>;
    getObject(asked: object): Promise<{ Body: { transformToByteArray(): Promise<Uint8Array> } }>;
  };
}

/** Without the further checksums that it would make by itself, which the other one does not make. */
function sdk(folder: string): Contender {
  const { S3 } = createRequire(`${folder}/`)('@aws-sdk/client-s3') as Sdk;
  const client = new S3({
    endpoint,
    region: 'us-east-1',
    credentials: CREDENTIALS,
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  const name = (number: number): object => ({ Bucket: 'blobs', Key: `sdk-${number}` });
  return {
    put: async (number, Body) => void (await client.putObject({ ...name(number), Body })),
    get: async (number) => (await client.getObject(name(number))).Body.transformToByteArray(),
  };
}
