// Resumable uploads as a client of tus sees them: requests in, answers out, over a restart in between.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { SystemDisk } from '#base/disk.ts';
import type { BlobRef } from '#base/ids.ts';
import { memoryLogger } from '#base/logger.ts';
import { SystemRandom } from '#base/random.ts';
import { Registry } from '#metrics/registry.ts';
import { SimClock } from '#sim/clock.ts';
import { MemoryStore } from '#store/memory.ts';
import { type UploadConfig, uploadConfig } from './config.ts';
import type { Caller } from './door.ts';
import { openDoor } from './door.ts';
import { HttpStore } from './http-store.ts';
import { Uploads } from './uploads.ts';

const SEGMENT = 65_536;
const YES = async (): Promise<boolean> => true;
const ALICE: Caller = { budget: 'member 1', name: 'alice', mayStay: YES, mayRemove: YES };
const MALLORY: Caller = { ...ALICE, budget: 'member 2', name: 'mallory' };

let folder: string;
let store: MemoryStore;
let clock: SimClock;
let http: HttpStore;
let uploads: Uploads;

function start(config: Partial<UploadConfig> = {}): void {
  const door = openDoor({
    store: async () => store,
    pin: async () => undefined,
    unpin: async () => undefined,
    countNeeded: async () => 0,
    ...{ clock, logger: memoryLogger([]), metrics: new Registry() },
    config: { ...uploadConfig.parse({}), segmentBytes: SEGMENT, ...config },
  });
  uploads = new Uploads({
    ...{ door, disk: new SystemDisk(), random: new SystemRandom() },
    folder: join(folder, 'uploads'),
  });
  http = new HttpStore(door, uploads);
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sk-tus-'));
  store = new MemoryStore();
  clock = new SimClock();
  start();
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

type Body = Uint8Array | ReadableStream<Uint8Array>;

async function ask(
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  more: { readonly body?: Body; readonly caller?: Caller; readonly signal?: AbortSignal } = {},
): Promise<Response> {
  const { body, caller = ALICE, signal } = more;
  const request = new Request(new URL(path, 'http://site'), {
    method,
    headers: { 'tus-resumable': '1.0.0', ...headers },
    ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer>, duplex: 'half' }),
    ...(signal === undefined ? {} : { signal }),
  } as RequestInit);
  return await http.answer(request, caller);
}

async function create(length: number): Promise<string> {
  const answer = await ask('POST', '/api/store/uploads', { 'upload-length': String(length) });
  assert.equal(answer.status, 201);
  return answer.headers.get('location') ?? '';
}

const patch = (path: string, offset: number, body: Body, more: Record<string, string> = {}) =>
  ask(
    'PATCH',
    path,
    {
      'content-type': 'application/offset+octet-stream',
      'upload-offset': String(offset),
      ...more,
    },
    { body },
  );

async function offsetOf(path: string): Promise<number> {
  const answer = await ask('HEAD', path);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('cache-control'), 'no-store');
  return Number(answer.headers.get('upload-offset'));
}

function contentOf(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at++) bytes[at] = (at * 31 + (at >>> 8)) & 0xff;
  return bytes;
}

interface Listed {
  readonly isComplete: boolean;
  readonly refs: readonly { readonly ref: BlobRef; readonly bytes: number }[];
}

async function assertWhole(path: string, content: Uint8Array): Promise<void> {
  const listed = (await (await ask('GET', path)).json()) as Listed;
  assert.equal(listed.isComplete, true);
  const parts = await Promise.all(listed.refs.map(({ ref }) => store.get(ref)));
  assert.ok(Buffer.concat(parts).equals(content));
  assert.ok(listed.refs.slice(0, -1).every(({ bytes }) => bytes === SEGMENT));
}

test('what was acknowledged is there after a restart, and the upload goes on behind it', async () => {
  const content = contentOf(SEGMENT * 3 + 1000);
  const path = await create(content.byteLength);
  let offset = 0;
  for (const size of [10, SEGMENT, SEGMENT - 10, 1, SEGMENT + 999]) {
    const answer = await patch(path, offset, content.subarray(offset, offset + size));
    assert.equal(answer.status, 204);
    offset += size;
    assert.equal(Number(answer.headers.get('upload-offset')), offset);
    start();
    assert.equal(await offsetOf(path), offset);
  }
  await assertWhole(path, content);
});

test('a part that breaks off is kept as far as it came', async () => {
  const content = contentOf(SEGMENT * 2);
  const path = await create(content.byteLength);
  let given = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (given === 5) {
        controller.error(new Error('the line was cut'));
        return;
      }
      controller.enqueue(content.slice(given * 20_000, (given + 1) * 20_000));
      given++;
    },
  });
  const answer = await patch(path, 0, body);
  assert.equal(answer.status, 500);
  start();
  assert.equal(await offsetOf(path), 100_000);
  assert.equal((await patch(path, 100_000, content.subarray(100_000))).status, 204);
  await assertWhole(path, content);
});

test('a torn journal counts up to its last whole line', async () => {
  const content = contentOf(SEGMENT * 2);
  const path = await create(content.byteLength);
  await patch(path, 0, content.subarray(0, SEGMENT));
  await patch(path, SEGMENT, content.subarray(SEGMENT, SEGMENT + 5));
  const file = join(folder, 'uploads', readdirSync(join(folder, 'uploads'))[0] ?? '');
  const journal = readFileSync(file);
  const lastLine = journal.lastIndexOf(10, -2) + 1;
  for (let length = lastLine; length < journal.byteLength; length += 7) {
    writeFileSync(file, journal.subarray(0, length));
    start();
    assert.equal(await offsetOf(path), SEGMENT, `${length} bytes`);
  }
  for (let at = 0; at < journal.byteLength; at += 5) {
    const flipped = Buffer.from(journal);
    flipped[at]! ^= 1;
    writeFileSync(file, flipped);
    start();
    const answer = await ask('HEAD', path);
    const offset = Number(answer.headers.get('upload-offset'));
    assert.ok(answer.status === 404 || offset <= SEGMENT, `a flipped bit at ${at}`);
  }
});

test('a checksum that does not fit keeps nothing, one that fits keeps all', async () => {
  const content = contentOf(SEGMENT + 100);
  const path = await create(content.byteLength);
  const sum = (algorithm: string, bytes: Uint8Array) =>
    `${algorithm} ${createHash(algorithm).update(bytes).digest('base64')}`;
  const wrong = { 'upload-checksum': sum('sha1', content.subarray(1)) };
  assert.equal((await patch(path, 0, content, wrong)).status, 460);
  assert.equal(await offsetOf(path), 0);
  assert.equal((await patch(path, 0, content, { 'upload-checksum': 'crc32 AAAA' })).status, 400);
  const right = { 'upload-checksum': sum('sha256', content) };
  assert.equal((await patch(path, 0, content, right)).status, 204);
  await assertWhole(path, content);
});

test('wrong places, sizes, versions and types are refused, and change nothing', async () => {
  const path = await create(100);
  assert.equal((await patch(path, 1, contentOf(10))).status, 409);
  assert.equal((await patch(path, 0, contentOf(101))).status, 413);
  assert.equal(await offsetOf(path), 0);
  assert.equal((await patch(path, 0, contentOf(10), { 'tus-resumable': '0.2.2' })).status, 412);
  assert.equal((await patch(path, 0, contentOf(10), { 'content-type': 'text/plain' })).status, 415);
  assert.equal((await ask('POST', '/api/store/uploads')).status, 400);
  const huge = { 'upload-length': String(2 ** 52) };
  assert.equal((await ask('POST', '/api/store/uploads', huge)).status, 413);
  const odd = { 'upload-length': '1', 'upload-metadata': 'name not*base64' };
  assert.equal((await ask('POST', '/api/store/uploads', odd)).status, 400);
  const options = await ask('OPTIONS', '/api/store/uploads');
  assert.equal(options.headers.get('tus-extension'), 'creation,expiration,checksum,termination');
});

test("another member's upload is none, and each has so many", async () => {
  start({ uploadsPerMemberMax: 2 });
  const path = await create(10);
  const strange = {
    ...{ 'upload-offset': '0', 'content-type': 'application/offset+octet-stream' },
    'x-http-method-override': 'DELETE',
  };
  for (const method of ['HEAD', 'GET', 'PATCH', 'PUT', 'POST', 'DELETE']) {
    const hasBody = !['HEAD', 'GET', 'DELETE'].includes(method);
    const body = hasBody ? { body: contentOf(5) } : {};
    const { status } = await ask(method, path, strange, { caller: MALLORY, ...body });
    assert.ok([404, 405].includes(status), `${method}: ${status}`);
    assert.equal(await offsetOf(path), 0, `${method} changed nothing`);
  }
  await create(10);
  const one = { 'upload-length': '1' };
  assert.equal((await ask('POST', '/api/store/uploads', one)).status, 429);
  assert.equal((await ask('DELETE', path)).status, 204);
  assert.equal((await ask('HEAD', path)).status, 404);
  assert.equal((await ask('POST', '/api/store/uploads', one)).status, 201);
});

test('an upload expires a day after its last byte, also over a restart', async () => {
  const path = await create(10);
  clock.advance(80_000_000);
  await patch(path, 0, contentOf(4));
  clock.advance(80_000_000);
  start();
  assert.equal(await offsetOf(path), 4);
  clock.advance(10_000_000);
  assert.equal((await ask('HEAD', path)).status, 404);
  assert.deepEqual(readdirSync(join(folder, 'uploads')), []);
});

/** A body that stands still after these bytes, and when they were taken and more was asked for. */
function standingAfter(bytes: Uint8Array): {
  readonly stream: ReadableStream<Uint8Array>;
  readonly isTaken: Promise<void>;
} {
  const taken = Promise.withResolvers<void>();
  let pulls = 0;
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    if (pulls++ === 0) return controller.enqueue(bytes);
    taken.resolve();
    await new Promise(() => {});
  };
  return { stream: new ReadableStream({ pull }, { highWaterMark: 0 }), isTaken: taken.promise };
}

test('who asks while a part stands still ends the part, which keeps what came', async () => {
  const content = contentOf(SEGMENT);
  const path = await create(content.byteLength);
  const body = standingAfter(content.slice(0, 500));
  const standing = patch(path, 0, body.stream);
  await body.isTaken;
  assert.equal(await offsetOf(path), 500);
  assert.equal((await standing).status, 409);
  assert.equal((await patch(path, 500, content.subarray(500))).status, 204);
  await assertWhole(path, content);
});

test('a part that stands still for too long is answered, and keeps what came', async () => {
  const path = await create(1000);
  const body = standingAfter(contentOf(300));
  const standing = patch(path, 0, body.stream);
  await body.isTaken;
  clock.advance(61_000);
  assert.equal((await standing).status, 408);
  assert.equal(await offsetOf(path), 300);
});

test('blobs of uploads are roots of garbage collection until they expire', async () => {
  const content = contentOf(SEGMENT + 5);
  const path = await create(content.byteLength);
  await patch(path, 0, content);
  const roots: BlobRef[] = [];
  for await (const ref of uploads.refs(new AbortController().signal)) roots.push(ref);
  const listed = (await (await ask('GET', path)).json()) as Listed;
  assert.deepEqual(
    roots,
    listed.refs.map(({ ref }) => ref),
  );
});

test('an upload of no bytes is whole at once', async () => {
  const path = await create(0);
  assert.equal((await patch(path, 0, new Uint8Array(0))).status, 204);
  await assertWhole(path, new Uint8Array(0));
});
