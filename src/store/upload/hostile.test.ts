// What a hostile or broken client can do to the store's doors: lies, stalls, halves, and many at once.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, describe, it } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { SeededRandom } from '#base/random.ts';
import { testSeed } from '#sim/seed.ts';
import { MemoryStore } from '#store/memory.ts';
import { refOf, type Store } from '#store/store.ts';
import type { UploadConfig } from './config.ts';
import { FrameSplitter, frameHeader } from './framed-messages.ts';
import { boundaryOf, MultipartReader } from './multipart.ts';
import { parseAnswer, parseRequest, pieceNumber, pieceOf } from './store-messages.ts';
import { TEST_TOKEN, TestStoreServer } from './test-store-server.ts';
import { parseChecksum, parseMetadata } from './tus.ts';
import { readJournal } from './upload-journal.ts';

const MIB = 1024 * 1024;
const LATE_MS = 20_000;

/** A WebSocket that says what it likes. */
class Peer {
  readonly heard: string[] = [];
  readonly closed: Promise<unknown>;
  readonly #socket: WebSocket;
  #wake: (() => void) | undefined;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('message', ({ data }) => {
      if (typeof data === 'string') this.heard.push(data);
      this.#wake?.();
    });
    this.closed = once(socket, 'close');
  }

  static async open(server: TestStoreServer): Promise<Peer> {
    const peer = new Peer(new WebSocket(`${server.url.replace('http', 'ws')}/api/store/socket`));
    await peer.until((line) => line.startsWith('HELLO') || line.startsWith('ERR 0'));
    return peer;
  }

  say(message: string | Uint8Array): void {
    this.#socket.send(message as string);
  }

  async until(isIt: (line: string) => boolean): Promise<string> {
    const late = Date.now() + LATE_MS;
    for (;;) {
      const found = this.heard.find(isIt);
      if (found !== undefined) return found;
      assert.ok(Date.now() < late, `heard only ${this.heard.slice(-3).join(' | ')}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, 100);
      });
    }
  }

  close(): void {
    this.#socket.close();
  }
}

/** The server hears of the end of a connection a moment after its client. */
async function assertNothingHeld(server: TestStoreServer): Promise<void> {
  const late = Date.now() + LATE_MS;
  while (server.door.budget.bytes > 0 && Date.now() < late) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.equal(server.door.budget.bytes, 0);
}

describe('the doors of the store', () => {
  const servers: TestStoreServer[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
  });
  async function start(
    config: Partial<UploadConfig> = {},
    store: Store = new MemoryStore(),
  ): Promise<TestStoreServer> {
    const server = await TestStoreServer.open(async () => store, config);
    servers.push(server);
    return server;
  }

  it('end the connection that lies, says why, and give its memory back', async () => {
    const server = await start();
    const lies: readonly (readonly (string | Uint8Array)[])[] = [
      ['HELLO 1'],
      ['PING 1', 'PING 1'],
      ['PUT 1 - 3', pieceOf(1, utf8('four'))],
      [pieceOf(7, utf8('of nothing'))],
      ['PUT 1 - 3 now'],
      ['GET 1 sha256-x'],
      ['PUT 1 - 99999999999999999999'],
      [new Uint8Array(3)],
      ['LIST 1 - 0'],
    ];
    for (const lie of lies) {
      const peer = await Peer.open(server);
      for (const message of lie) peer.say(message);
      await peer.until((line) => line.startsWith('ERR 0 STORE_PROTOCOL'));
      await peer.closed;
    }
    await assertNothingHeld(server);
  });

  it('keep nothing of half a blob, a wrong hash, or one that is too large', async () => {
    const store = new MemoryStore();
    const server = await start({}, store);
    const peer = await Peer.open(server);
    peer.say(`PUT 1 ${refOf(utf8('right'))} 5`);
    peer.say(pieceOf(1, utf8('wrong')));
    await peer.until((line) => line.startsWith('ERR 1 STORE_WRONG_HASH'));
    peer.say(`PUT 2 - ${17 * MIB}`);
    await peer.until((line) => line.startsWith('ERR 2 STORE_BLOB_TOO_LARGE'));
    // What was on its way for it is read past.
    peer.say(pieceOf(2, utf8('late')));
    peer.say('PUT 3 - 10');
    peer.say(pieceOf(3, utf8('half')));
    peer.say('PING 4');
    await peer.until((line) => line === 'OK 4');
    peer.close();
    await peer.closed;
    assert.deepEqual(await store.list(), []);
    await assertNothingHeld(server);
  });

  it('end who owes the rest of a blob, and who does not take what is sent', async () => {
    const store = new MemoryStore();
    for (let nth = 0; nth < 4; nth++) await store.put(new Uint8Array(MIB).fill(nth));
    const server = await start({ stallMsMax: 300, sendWindowBytes: 65_536 }, store);
    const owing = await Peer.open(server);
    owing.say('PUT 1 - 10');
    const deaf = await Peer.open(server);
    deaf.say('STREAM 1 -');
    await owing.until((line) => line.startsWith('ERR 0 STORE_TIMED_OUT'));
    await Promise.all([owing.closed, deaf.closed]);
    await assertNothingHeld(server);
  });

  it('take so much at once from one member, and refuse the rest in words', async () => {
    const server = await start({
      ...{ memoryBytesMax: 64 * MIB, memberMemoryBytesMax: 40 * MIB },
      unansweredBytesMax: 16 * MIB,
    });
    const peers = await Promise.all(Array.from({ length: 5 }, () => Peer.open(server)));
    for (const peer of peers) peer.say(`PUT 1 - ${15 * MIB}`);
    for (const peer of peers) peer.say('PING 2');
    await Promise.all(peers.map((peer) => peer.until((line) => line === 'OK 2')));
    const refused = peers.filter((peer) => peer.heard.some((line) => /STORE_BUSY/.test(line)));
    assert.equal(refused.length, 3);
    assert.equal(server.door.budget.bytes, 30 * MIB);
    for (const peer of peers) peer.close();
    await Promise.all(peers.map((peer) => peer.closed));
    await assertNothingHeld(server);
  });

  it('serve a hundred connections at once, and refuse the one beyond the bound', async () => {
    const store = new MemoryStore();
    const bounds = { connectionsMax: 100, connectionsPerMemberMax: 100 };
    const server = await start(bounds, store);
    const peers = await Promise.all(Array.from({ length: 100 }, () => Peer.open(server)));
    const beyond = await Peer.open(server);
    assert.match(beyond.heard[0] ?? '', /^ERR 0 STORE_BUSY/);
    await Promise.all(
      peers.map(async (peer, nth) => {
        const bytes = utf8(`blob ${nth}`);
        peer.say(`PUT 1 - ${bytes.byteLength} norush`);
        peer.say(pieceOf(1, bytes));
        await peer.until((line) => line.startsWith('OK 1'));
      }),
    );
    assert.equal((await store.stats()).blobs, 100);
    for (const peer of peers) peer.close();
  });

  it('end a connection soon after its right ended', async () => {
    const server = await start({ rightsMsMax: 100 });
    const peer = await Peer.open(server);
    server.mayStay = false;
    await peer.until((line) => line.startsWith('ERR 0 STORE_DENIED'));
    await peer.closed;
  });

  it('remove nothing for who may not, by message and by both requests', async () => {
    const store = new MemoryStore();
    const server = await start({}, store);
    const { ref } = await store.put(utf8('needed by others'));
    server.mayRemove = false;
    const peer = await Peer.open(server);
    peer.say(`REMOVE 1 ${ref}`);
    await peer.until((line) => line.startsWith('ERR 1 STORE_DENIED'));
    const one = await fetch(`${server.url}/api/store/blobs/${ref}`, { method: 'DELETE' });
    const body = JSON.stringify({ refs: [ref] });
    const many = await fetch(`${server.url}/api/store/remove`, { method: 'POST', body });
    assert.deepEqual([one.status, many.status], [403, 403]);
    assert.equal((await store.stat([ref])).length, 1);
    server.mayRemove = true;
    peer.say(`REMOVE 2 ${ref}`);
    await peer.until((line) => line === 'OK 2 1');
    peer.close();
  });

  it('remove nothing that torrents need unless they are told to, not even what they do not need', async () => {
    const store = new MemoryStore();
    const server = await start({}, store);
    const { ref } = await store.put(utf8('a segment of a torrent'));
    const { ref: free } = await store.put(utf8('nobody asks for this'));
    server.needed.add(ref);
    const peer = await Peer.open(server);
    peer.say(`REMOVE 1 ${ref} ${free}`);
    const [, words] = /^ERR 1 STORE_NEEDED (.*)/.exec(
      await peer.until((line) => line.startsWith('ERR 1 ')),
    ) ?? ['', ''];
    assert.match(words ?? '', /^1 of 2 blobs are needed by torrents/);
    const blob = `${server.url}/api/store/blobs/${ref}`;
    const remove = `${server.url}/api/store/remove`;
    const many = { method: 'POST', body: JSON.stringify({ refs: [ref, free] }) };
    assert.equal((await fetch(blob, { method: 'DELETE' })).status, 409);
    const refused = await fetch(remove, many);
    assert.equal(refused.status, 409);
    assert.match(await refused.text(), /STORE_NEEDED/);
    assert.equal((await store.stat([ref, free])).length, 2);
    const forced = await fetch(`${remove}?force=yes`, many);
    assert.deepEqual(await forced.json(), { removed: 2 });
    await store.put(utf8('a segment of a torrent'));
    peer.say(`REMOVE 2 ${ref}`);
    await peer.until((line) => line.startsWith('ERR 2 STORE_NEEDED'));
    peer.say(`REMOVE 3 ${ref} force`);
    await peer.until((line) => line === 'OK 3 1');
    assert.equal((await store.stat([ref])).length, 0);
    peer.close();
  });

  it('answer one batch part by part, whatever is wrong with some', async () => {
    const store = new MemoryStore();
    const server = await start({}, store);
    const form = new FormData();
    form.append('-', new Blob(['one']));
    form.append(refOf(utf8('two')), new Blob(['not two']));
    form.append('-', new Blob([new Uint8Array(16 * MIB + 1)]));
    form.append('-', new Blob([new Uint8Array(16 * MIB)]));
    const answer = await fetch(`${server.url}/api/store/blobs`, { method: 'POST', body: form });
    const { received, failed } = (await answer.json()) as {
      received: { bytes: number }[];
      failed: { code: string }[];
    };
    assert.deepEqual(
      received.map(({ bytes }) => bytes).sort((a, b) => a - b),
      [3, 16 * MIB],
    );
    assert.deepEqual(failed.map(({ code }) => code).sort(), [
      'STORE_BLOB_TOO_LARGE',
      'STORE_WRONG_HASH',
    ]);
    const cut = await fetch(`${server.url}/api/store/blobs`, {
      method: 'POST',
      headers: { 'content-type': 'multipart/form-data; boundary=x' },
      body: '--x\r\ncontent-disposition: form-data; name="-"\r\n\r\nhalf',
    });
    assert.equal(cut.status, 400);
    assert.equal((await store.stats()).blobs, 2);
    await assertNothingHeld(server);
    assert.equal((await fetch(`${server.url}/api/store/socket`)).status, 401);
    const known = { authorization: `Bearer ${TEST_TOKEN}` };
    assert.equal((await fetch(`${server.url}/api/store/socket`, { headers: known })).status, 426);
  });
});

describe('the decoders of the store’s doors', () => {
  let random = new SeededRandom(1);
  const below = (bound: number): number => random.u32() % bound;
  const GOOD = [
    `PUT 1 ${refOf(utf8('a'))} 5 norush pin`,
    `GET 2 ${refOf(utf8('a'))} ${refOf(utf8('b'))}`,
    'STREAM 3 token',
    `LIST 4 - 10`,
    'CANCEL 5 4',
    'TOOK 5 1000',
    `BLOB 5 ${refOf(utf8('a'))} 1 token`,
    'ERR 0 STORE_BUSY words',
  ].map((text) => Buffer.from(text));

  it('read damaged messages or refuse them, and never throw', (context) => {
    random = new SeededRandom(testSeed(context, 20_261));
    for (let round = 0; round < 40_000; round++) {
      const bytes = Buffer.from(GOOD[below(GOOD.length)]!);
      for (let flips = below(4); flips >= 0; flips--) bytes[below(bytes.byteLength)] = below(256);
      const text = bytes.toString('utf8', 0, below(bytes.byteLength + 1));
      const request = parseRequest(text);
      if (request !== undefined) assert.ok(Number.isSafeInteger(request.number), text);
      parseAnswer(text);
      pieceNumber(bytes);
      parseMetadata(text);
      parseChecksum(text);
      boundaryOf(`multipart/form-data; ${text}`);
    }
  });

  it('give the same parts of a form, and the same frames, however they are cut', (context) => {
    random = new SeededRandom(testSeed(context, 20_262));
    const form = Buffer.from(
      '--b\r\nContent-Disposition: form-data; name="one"\r\n\r\nfirst\r\n-b\r\n\r\n--b\r\n' +
        'content-disposition: form-data; name="two"; filename="x"\r\n\r\n\r\n--b\r\n\r\nno name\r\n--b--\r\n',
    );
    const frames = Buffer.concat(
      ['', 'text', 'x'.repeat(300)].flatMap((text, nth) => [
        frameHeader(nth !== 1, text.length),
        Buffer.from(text),
      ]),
    );
    for (let round = 0; round < 3000; round++) {
      const parts: string[] = [];
      const reader = new MultipartReader('b', {
        onPart: (name) => parts.push(`${name}=`),
        onBytes: (bytes) => {
          parts[parts.length - 1] += Buffer.from(bytes).toString();
        },
        onPartEnd: () => undefined,
      });
      for (const piece of cut(form)) assert.ok(reader.push(piece));
      assert.deepEqual(parts, ['one=first\r\n-b\r\n', 'two=', 'undefined=no name']);
      assert.ok(reader.isWhole);
      const heard: string[] = [];
      const splitter = new FrameSplitter();
      const sink = {
        onText: (text: string) => heard.push(`t${text.length}`),
        onBytes: (bytes: Uint8Array) => heard.push(`b${bytes.byteLength}`),
      };
      for (const piece of cut(frames)) assert.ok(splitter.push(piece, sink));
      assert.deepEqual(heard, ['t0', 'b4', 't300']);
    }
  });

  it('take noise for a form, frames or a journal without harm', (context) => {
    random = new SeededRandom(testSeed(context, 20_263));
    const sink = { onText: () => undefined, onBytes: () => undefined };
    const parts = { onPart: () => undefined, onPartEnd: () => undefined, ...sink };
    for (let round = 0; round < 3000; round++) {
      const noise = random.bytes(below(2000));
      new FrameSplitter().push(noise, sink);
      new MultipartReader('b', parts).push(noise);
      readJournal(noise);
    }
  });

  function* cut(bytes: Uint8Array): Generator<Uint8Array> {
    for (let at = 0; at < bytes.byteLength; ) {
      const end = Math.min(bytes.byteLength, at + 1 + below(30));
      yield bytes.subarray(at, end);
      at = end;
    }
  }
});
