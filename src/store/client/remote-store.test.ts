// A store over its protocol is a store: the suite against a real server, by WebSocket with a token and
// by UNIX socket; and what a connection that breaks does to calls.

import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { SeededRandom } from '#base/random.ts';
import { MemoryStore } from '#store/memory.ts';
import { describeStore, type StoreUnderTest } from '#store/store.conformance.ts';
import { type PutOptions, refOf } from '#store/store.ts';
import type { UploadConfig } from '#store/upload/config.ts';
import { TEST_TOKEN, TestStoreServer } from '#store/upload/test-store-server.ts';
import { connectStore } from './connect.ts';
import type { RemoteStore } from './remote-store.ts';

const open =
  (pick: (server: TestStoreServer) => { readonly url: string; readonly token?: string }) =>
  async (): Promise<StoreUnderTest> => {
    const store = new MemoryStore();
    const server = await TestStoreServer.open(async () => store);
    return {
      store: await connectStore(pick(server)),
      reopen: async () => await connectStore(pick(server)),
      dispose: () => server.close(),
    };
  };

describeStore(
  'RemoteStore by WebSocket',
  open((server) => ({ url: server.url, token: TEST_TOKEN })),
);
describeStore(
  'RemoteStore by UNIX socket',
  open((server) => ({ url: server.unixUrl })),
);

const MIB = 1024 * 1024;

describe('RemoteStore', () => {
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  async function start(
    store: MemoryStore,
    config: Partial<UploadConfig> = {},
  ): Promise<{ readonly server: TestStoreServer; readonly client: RemoteStore }> {
    const server = await TestStoreServer.open(async () => store, config);
    closing.push(() => server.close());
    const client = await connectStore({ url: server.url, token: TEST_TOKEN });
    closing.push(() => client.close());
    return { server, client };
  }

  it('puts everything once, however often the connection is cut meanwhile', async () => {
    const store = new MemoryStore();
    const { server, client } = await start(store);
    const random = new SeededRandom(3);
    const blobs = Array.from({ length: 60 }, () => random.bytes(60_000));
    let answered = 0;
    const puts = blobs.map(async (blob) => {
      const put = await client.put(blob, { noRush: true });
      answered++;
      if (answered % 7 === 0) server.cut();
      return put.ref;
    });
    assert.deepEqual(await Promise.all(puts), blobs.map(refOf));
    assert.equal((await store.stats()).blobs, 60);
  });

  it('a stream and a list of gets go on behind the last blob when the connection is cut', async () => {
    const store = new MemoryStore();
    const { server, client } = await start(store);
    const random = new SeededRandom(4);
    const refs: string[] = [];
    for (let nth = 0; nth < 30; nth++) refs.push((await store.put(random.bytes(65_000))).ref);
    const seen: string[] = [];
    for await (const { ref } of client.stream()) {
      seen.push(ref);
      if (seen.length % 9 === 0) server.cut();
    }
    assert.deepEqual(seen, refs.toSorted());
    const wanted = [...refs, refOf(utf8('nowhere'))].map((ref) => ref as ReturnType<typeof refOf>);
    const got: string[] = [];
    for await (const { ref, body } of client.getMany(wanted)) {
      assert.equal(refOf(body), ref);
      got.push(ref);
      if (got.length % 11 === 0) server.cut();
    }
    assert.deepEqual(got, refs);
  });

  it('a reader that stops tells the server, which sends no more', async () => {
    const store = new MemoryStore();
    const { server, client } = await start(store);
    for (let nth = 0; nth < 40; nth++) await store.put(new Uint8Array(MIB).fill(nth));
    for await (const _ of client.stream()) break;
    // Answered behind it, and a place to read is free again.
    for (let nth = 0; nth < 8; nth++) for await (const _ of client.stream()) break;
    await client.ping();
    const sent = /door_bytes_total\{direction="out"\} (\d+)/.exec(server.metricsText())?.[1];
    assert.ok(Number(sent) < 9 * 5 * MIB, `${sent} bytes were sent`);
  });

  it('a slow reader is waited for, with no more than the window on its way', async () => {
    const store = new MemoryStore();
    const { server, client } = await start(store, { sendWindowBytes: MIB });
    for (let nth = 0; nth < 12; nth++) await store.put(new Uint8Array(MIB).fill(nth));
    const reader = client.stream();
    await reader.next();
    // What would come without a window would come in this time.
    for (let nth = 0; nth < 50; nth++) await client.ping();
    const sent = /door_bytes_total\{direction="out"\} (\d+)/.exec(server.metricsText())?.[1];
    assert.ok(Number(sent) <= 4 * MIB, `${sent} bytes were sent`);
    let rest = 0;
    for await (const _ of reader) rest++;
    assert.equal(rest, 11);
  });

  it('waits its turn when the server is busy, and gives up in the end with its word', async () => {
    const store = new MemoryStore();
    const { server, client } = await start(store);
    assert.ok(server.door.budget.take('member 1', 190 * MIB));
    const putting = client.put(new Uint8Array(3 * MIB));
    await client.ping();
    assert.equal((await store.stats()).blobs, 0);
    server.door.budget.give('member 1', 190 * MIB);
    await putting;
    assert.ok(server.door.budget.take('member 1', 190 * MIB));
    const hasty = await connectStore({ url: server.url, token: TEST_TOKEN, giveUpMs: 100 });
    await assert.rejects(hasty.put(new Uint8Array(4 * MIB)), { code: 'STORE_BUSY' });
    await hasty.close();
  });

  it('a cancelled put is taken back at the server too', async () => {
    class Standing extends MemoryStore {
      cancelled = 0;
      override put(bytes: Uint8Array, options: PutOptions = {}) {
        if (bytes.byteLength !== 3) return super.put(bytes, options);
        return new Promise<never>((_resolve, reject) => {
          options.signal?.addEventListener('abort', () => {
            this.cancelled++;
            reject(Object.assign(new Error('cancelled'), { code: 'STORE_CANCELLED' }));
          });
        });
      }
    }
    const store = new Standing();
    const { server, client } = await start(store);
    const abort = new AbortController();
    const putting = client.put(utf8('one'), { signal: abort.signal });
    await client.ping();
    abort.abort();
    await assert.rejects(putting, { code: 'STORE_CANCELLED' });
    await client.ping();
    assert.equal(store.cancelled, 1);
    assert.equal(server.door.budget.bytes, 0);
  });

  it('says who it may not be, and that nobody is there', async () => {
    const { server } = await start(new MemoryStore());
    const { url } = server;
    await assert.rejects(connectStore({ url, token: 'another' }), { code: 'STORE_DENIED' });
    await server.close();
    closing.shift();
    const asked = connectStore({ url, token: TEST_TOKEN, giveUpMs: 200 });
    await assert.rejects(asked, { code: 'STORE_UNREACHABLE' });
    await assert.rejects(connectStore({ url: 'ftp://example.org' }), TypeError);
  });

  it('pins what it puts when it is told to, and unpins what it removes', async () => {
    const { server } = await start(new MemoryStore());
    const client = await connectStore({ url: server.unixUrl, pin: true });
    const { ref } = await client.put(utf8('kept'));
    assert.deepEqual(server.pins, [ref]);
    // A pin of what is gone would be a promise that nobody keeps.
    assert.equal(await client.remove([ref]), 1);
    assert.deepEqual(server.pins, []);
    await client.close();
  });
});
