import assert from 'node:assert/strict';
import test from 'node:test';
import { keepTorrent } from '#archive/catalogue/kept-torrents.ts';
import { archiveConfig } from '#archive/config.ts';
import { type FileMap, segmentRef } from '#archive/content/file-map.ts';
import { InPlaceHasher } from '#archive/hash/segment-hasher.ts';
import { putContent } from '#archive/ingest/put-content.ts';
import { archiveMigrations } from '#archive/migrations/all.ts';
import { toHex } from '#base/bytes.ts';
import { SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import { SeededRandom } from '#base/random.ts';
import { SimClock } from '#sim/clock.ts';
import { migrate } from '#sql/migrate.ts';
import type { Sql } from '#sql/sql.ts';
import { openTestSqlite } from '#sql/test-databases.ts';
import { MemoryStore } from '#store/memory.ts';
import type { MessageHandler, MessageStream } from '#store/upload/message-stream.ts';
import { merkleRoot, pieceHeight } from '#wire/merkle.ts';
import { parseMetainfo } from '#wire/metainfo.ts';
import { PieceDoor } from './piece-door.ts';

const SEGMENT_BYTES = 262_144;
const PIECE_BYTES = 65_536;
const SIZE = 700_000;
const TOKEN = `7-${'0'.repeat(32)}`;
const HASH = 'ab'.repeat(20);
const AUTHORIZATION = `Bearer ${TOKEN}.${HASH}`;

/** What a reader hears, and a line that can be full. */
class TestMessages implements MessageStream {
  readonly texts: Record<string, unknown>[] = [];
  readonly parts: { readonly id: number; readonly offset: number; readonly bytes: Uint8Array }[] =
    [];
  unsentBytes = 0;
  closed: number | undefined;
  #handler: MessageHandler | undefined;

  start(handler: MessageHandler): void {
    this.#handler = handler;
  }

  sendText(text: string): void {
    this.texts.push(JSON.parse(text));
  }

  sendBytes(message: Uint8Array): void {
    const view = new DataView(message.buffer, message.byteOffset);
    const offset = Number(view.getBigUint64(4, true));
    this.parts.push({ id: view.getUint32(0, true), offset, bytes: message.slice(12) });
  }

  pause(): void {}

  resume(): void {}

  close(code: number): void {
    this.closed ??= code;
    this.#handler?.onClosed('closed');
  }

  destroy(): void {
    this.close(0);
  }

  ask(message: object | string): void {
    this.#handler?.onText(typeof message === 'string' ? message : JSON.stringify(message));
  }

  drain(): void {
    this.unsentBytes = 0;
    this.#handler?.onDrain();
  }
}

interface Testing {
  readonly door: PieceDoor;
  readonly sql: Sql;
  readonly store: MemoryStore;
  readonly clock: SimClock;
  readonly content: Uint8Array;
  readonly map: FileMap;
  readonly rights: { isTaken: boolean };
  readonly sent: { bytes: number };
  path(what: 'map' | 'stream', root?: string): string;
  /** A stream that is open. */
  open(): Promise<TestMessages>;
}

async function withDoor(run: (testing: Testing) => Promise<void>): Promise<void> {
  const sql = await openTestSqlite();
  try {
    await migrate(sql, archiveMigrations, { clock: new SystemClock() });
    const store = new MemoryStore();
    const config = archiveConfig.parse({
      segmentBytes: SEGMENT_BYTES,
      readCacheBytes: 0,
      seedStreamsPerMemberMax: 2,
    });
    const random = new SeededRandom(1);
    const content = new Uint8Array(SIZE);
    for (let at = 0; at < SIZE; at += 50_000) content.set(random.bytes(50_000), at);
    const hasher = new InPlaceHasher();
    const put = await putContent(
      { store, hasher, config },
      {
        ...{ version: 'hybrid', name: 'a.bin', singleFile: true, pieceLength: PIECE_BYTES },
        files: [
          {
            ...{ path: ['a.bin'], sizeBytes: SIZE },
            async *read() {
              yield content;
            },
          },
        ],
      },
    );
    assert.ok(put.ok);
    const map = put.files[0]?.map;
    const parsed = parseMetainfo(put.bytes);
    assert.ok(map !== undefined && parsed.ok);
    await keepTorrent(sql, { id: 3, files: put.files, nowMs: 1 });
    const clock = new SimClock();
    const rights = { isTaken: false };
    const sent = { bytes: 0 };
    const door = new PieceDoor({
      ...{ sql, clock, hasher, config, healers: [], logger: silentLogger },
      store: async () => store,
      catalogue: {
        torrentByHash: async (hash) => (hash === HASH ? { id: 3 } : undefined),
        metainfo: async () => parsed.metainfo,
      },
      members: {
        memberOf: async (token) => (token === TOKEN && !rights.isTaken ? 7 : undefined),
      },
      onSent: (memberId, torrentId, bytes) => {
        assert.deepEqual([memberId, torrentId], [7, 3]);
        sent.bytes += bytes;
      },
    });
    const path = (what: 'map' | 'stream', root = toHex(map.root)): string =>
      `/archive/files/${root}/${what}`;
    const open = async (): Promise<TestMessages> => {
      const granted = await door.open(`${path('stream')}?key=${TOKEN}.${HASH}`, undefined);
      assert.ok(typeof granted !== 'number');
      const messages = new TestMessages();
      door.take(granted, messages);
      return messages;
    };
    await run({ door, sql, store, clock, content, map, rights, sent, path, open });
  } finally {
    await sql.close();
  }
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let turn = 0; !holds(); turn++) {
    assert.ok(turn < 15_000, `waited for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

interface View {
  readonly root: string;
  readonly bytes: number;
  readonly segmentBytes: number;
  readonly segments: readonly (readonly [string, string])[];
  readonly pieceLayer: { readonly pieceBytes: number; readonly hashes: readonly string[] };
  readonly holes: readonly object[];
}

test('one answer tells all segments, the piece layer and holes, and they prove the root', () =>
  withDoor(async ({ door, sql, map, path }) => {
    await sql.transaction<{ archive_damage: Record<string, unknown> }, void>(async (open) => {
      const damage = { file_id: 1, segment: 1, kind: 'missing', found_ms: 5 };
      await open.insertInto('archive_damage').values(damage).execute();
    });
    const answer = await door.map(path('map'), AUTHORIZATION);
    assert.ok(typeof answer !== 'number');
    const view = JSON.parse([...answer].join('')) as View;
    assert.deepEqual([view.bytes, view.segmentBytes], [SIZE, SEGMENT_BYTES]);
    assert.equal(view.segments.length, 3);
    assert.equal(`sha256-${view.segments[2]?.[0]}`, segmentRef(map, 2));
    assert.equal(view.pieceLayer.pieceBytes, PIECE_BYTES);
    const layer = new Uint8Array(Buffer.from(view.pieceLayer.hashes.join(''), 'hex'));
    assert.equal(toHex(merkleRoot(layer, pieceHeight(PIECE_BYTES))), view.root);
    const roots = new Uint8Array(
      Buffer.from(view.segments.map(([, root]) => root).join(''), 'hex'),
    );
    assert.equal(toHex(merkleRoot(roots, pieceHeight(SEGMENT_BYTES))), view.root);
    const hole = { start: SEGMENT_BYTES, end: 2 * SEGMENT_BYTES, kind: 'missing' };
    assert.deepEqual(view.holes, [hole]);
  }));

test('strangers, other files and crooked paths are refused', () =>
  withDoor(async ({ door, path, rights, clock }) => {
    assert.equal(await door.map(path('map'), undefined), 401);
    assert.equal(await door.map(path('map'), `Bearer 7-${'1'.repeat(32)}.${HASH}`), 401);
    assert.equal(await door.map(path('map', 'ab'.repeat(32)), AUTHORIZATION), 404);
    assert.equal(await door.map(path('map'), `Bearer ${TOKEN}.${'cd'.repeat(20)}`), 404);
    for (const crooked of [
      '/archive/files/ab/map',
      `${path('map')}/x`,
      path('stream'),
      '/archive',
    ]) {
      assert.equal(await door.map(crooked, AUTHORIZATION), 404, crooked);
    }
    assert.equal(await door.open(path('map'), AUTHORIZATION), 404);
    rights.isTaken = true;
    clock.advance(1000);
    assert.equal(await door.map(path('map'), AUTHORIZATION), 401);
  }));

test('one request brings the map and the segments in order, whole or a range of them', () =>
  withDoor(async ({ content, open, sent }) => {
    const messages = await open();
    messages.ask({ do: 'send', id: 1 });
    messages.ask({
      do: 'send',
      id: 2,
      start: SEGMENT_BYTES - 5,
      end: SEGMENT_BYTES + 7,
      map: false,
    });
    await until('both are done', () =>
      messages.texts.some(({ id, done }) => id === 2 && done === true),
    );
    assert.equal((messages.texts[0] as { map: View }).map.bytes, SIZE);
    assert.deepEqual(messages.texts.slice(1), [
      { id: 1, done: true },
      { id: 2, done: true },
    ]);
    const whole = messages.parts.filter(({ id }) => id === 1);
    let at = 0;
    for (const { offset, bytes } of whole) {
      assert.equal(offset, at);
      assert.ok(bytes.length <= 262_144);
      at += bytes.length;
    }
    assert.deepEqual(new Uint8Array(Buffer.concat(whole.map(({ bytes }) => bytes))), content);
    const range = messages.parts.filter(({ id }) => id === 2);
    assert.deepEqual(
      new Uint8Array(Buffer.concat(range.map(({ bytes }) => bytes))),
      content.slice(SEGMENT_BYTES - 5, SEGMENT_BYTES + 7),
    );
    assert.equal(sent.bytes, SIZE + 12);
    messages.close(1000);
  }));

test('"stop" ends a request that runs and one that waits, and what was read of them is dropped', () =>
  withDoor(async ({ open, store }) => {
    let reads = 0;
    const get = store.get.bind(store);
    store.get = (ref, options) => {
      reads += 1;
      return get(ref, options);
    };
    const messages = await open();
    const before = reads;
    messages.unsentBytes = 100_000_000;
    messages.ask({ do: 'send', id: 1, map: false });
    messages.ask({ do: 'send', id: 2, map: false });
    await until('it reads', () => reads > before);
    messages.ask({ do: 'stop', id: 2 });
    messages.ask({ do: 'stop', id: 1 });
    await until('both are stopped', () => messages.texts.length === 2);
    assert.deepEqual(messages.texts, [
      { id: 1, stopped: true },
      { id: 2, stopped: true },
    ]);
    assert.equal(messages.parts.length, 0);
    messages.drain();
    messages.ask({ do: 'send', id: 3, start: 0, end: 10, map: false });
    await until('the next one is served', () => messages.parts.length === 1);
    assert.ok(reads - before <= 3, 'no more was read than one segment and the next');
    messages.close(1000);
  }));

test('who takes nothing is waited for, and then let go', () =>
  withDoor(async ({ open, clock }) => {
    const messages = await open();
    messages.unsentBytes = 100_000_000;
    messages.ask({ do: 'send', id: 1, map: false });
    await until('a deadline runs', () => {
      clock.advance(1000);
      return messages.closed !== undefined;
    });
    assert.equal(messages.parts.length, 0);
  }));

test('what cannot be read is told as a hole, and what follows it comes', () =>
  withDoor(async ({ open, store, map, content }) => {
    await store.remove([segmentRef(map, 1)]);
    const messages = await open();
    messages.ask({ do: 'send', id: 1, start: 10, map: false });
    await until('it is done', () => messages.texts.at(-1)?.['done'] === true);
    const hole = { start: SEGMENT_BYTES, end: 2 * SEGMENT_BYTES };
    assert.deepEqual(messages.texts[0], { id: 1, hole });
    assert.deepEqual(
      new Uint8Array(Buffer.concat(messages.parts.map(({ bytes }) => bytes))),
      new Uint8Array(
        Buffer.concat([content.slice(10, SEGMENT_BYTES), content.slice(2 * SEGMENT_BYTES)]),
      ),
    );
    messages.close(1000);
  }));

test('a right that is taken back ends a stream, and noise does', () =>
  withDoor(async ({ open, rights, clock }) => {
    const messages = await open();
    messages.unsentBytes = 100_000_000;
    messages.ask({ do: 'send', id: 1 });
    await until('the map is there', () => messages.texts.length === 1);
    rights.isTaken = true;
    clock.advance(1000);
    messages.drain();
    await until('it is closed', () => messages.closed === 1008);
    rights.isTaken = false;
    clock.advance(1000);
    for (const noise of [
      '',
      '[]',
      'null',
      '{"do":"send"}',
      '{"do":"go","id":1}',
      'x'.repeat(5000),
    ]) {
      const other = await open();
      other.ask(noise);
      assert.equal(other.closed, 1007, noise.slice(0, 20));
    }
    const crooked = await open();
    crooked.ask({ do: 'send', id: 1, start: 5, end: 4 });
    crooked.ask({ do: 'send', id: 2, end: SIZE + 1 });
    assert.equal(crooked.texts.filter(({ error }) => typeof error === 'string').length, 2);
    crooked.close(1000);
  }));

test('one member has so many streams at once, and each so many requests', () =>
  withDoor(async ({ open, door, path }) => {
    const first = await open();
    const second = await open();
    assert.equal(await door.open(path('stream'), AUTHORIZATION), 503);
    first.unsentBytes = 100_000_000;
    for (let id = 0; id < 40; id++) first.ask({ do: 'send', id, map: false });
    first.ask({ do: 'send', id: 0, map: false });
    assert.equal(first.texts.filter(({ error }) => typeof error === 'string').length, 9);
    door.close();
    assert.deepEqual([first.closed, second.closed], [0, 0]);
    assert.ok(typeof (await door.open(path('stream'), AUTHORIZATION)) !== 'number');
  }));
