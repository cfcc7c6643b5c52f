// What streams do that a listener accepts, whichever way they are made. An implementation's own test calls
// `streamSuite(name, listen)`; the peers are plain sockets of Node's, over UNIX and over TCP.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { codeOf } from '#base/errors.ts';
import {
  type ByteStream,
  type ListenStream,
  parsePlace,
  type StreamHandler,
} from './byte-stream.ts';
import { until } from './test-tcp-peer.ts';

const MANY_BYTES = 1_000_000;
/** More than the kernel takes for a TCP peer that does not read. */
const OWED_BYTES = 16_000_000;
type Kind = 'unix' | 'tcp';

/** The side under test: what came, and what became of it. */
class Side implements StreamHandler {
  readonly stream: ByteStream;
  text = '';
  drains = 0;
  hasEnded = false;
  closed = 0;
  onText: ((text: string) => void) | undefined;

  constructor(stream: ByteStream) {
    this.stream = stream;
    stream.start(this);
  }

  onData(bytes: Uint8Array): void {
    const text = Buffer.from(bytes).toString('latin1');
    this.text += text;
    this.onText?.(text);
  }

  onDrain(): void {
    this.drains++;
  }

  onEnd(): void {
    this.hasEnded = true;
  }

  onClosed(): void {
    this.closed++;
  }
}

class Peer {
  readonly socket: Socket;
  text = '';
  hasEnded = false;
  isClosed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes) => {
      this.text += bytes.toString('utf8');
    });
    socket.on('end', () => {
      this.hasEnded = true;
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.isClosed = true;
    });
  }
}

interface Scene {
  readonly url: string;
  readonly path: string;
  readonly sides: Side[];
  readonly listen: ListenStream;
  close(): Promise<void>;
  dial(): Promise<{ readonly peer: Peer; readonly side: Side }>;
}

async function play(
  listen: ListenStream,
  kind: Kind,
  act: (scene: Scene) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sk-stream-'));
  const path = `${folder}/s`;
  const sides: Side[] = [];
  const peers: Peer[] = [];
  const wanted =
    kind === 'unix' ? ({ kind, path } as const) : ({ kind, host: '127.0.0.1', port: 0 } as const);
  const listener = await listen(
    wanted,
    (stream) => sides.push(new Side(stream)),
    (error) => {
      throw error;
    },
  );
  const dial: Scene['dial'] = async () => {
    const place = parsePlace(listener.url);
    assert.ok(place !== undefined, listener.url);
    const before = sides.length;
    const to = place.kind === 'unix' ? { path } : { host: place.host, port: place.port };
    const peer = new Peer(connect({ ...to, allowHalfOpen: true }));
    peers.push(peer);
    await until(() => sides.length > before || peer.isClosed);
    const side = sides[before];
    assert.ok(side !== undefined, 'the connection is accepted');
    return { peer, side };
  };
  try {
    await act({ url: listener.url, path, sides, dial, listen, close: () => listener.close() });
  } finally {
    for (const { socket } of peers) socket.destroy();
    for (const { stream } of sides) stream.destroy();
    await listener.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

export function streamSuite(name: string, listen: ListenStream): void {
  for (const kind of ['unix', 'tcp'] as const) {
    describe(`${name} over ${kind}`, () => {
      describeStreams((act) => play(listen, kind, act), kind);
    });
  }
}

function describeStreams(
  scene: (act: (scene: Scene) => Promise<void>) => Promise<void>,
  kind: Kind,
): void {
  test('bytes and text go both ways, in order, and the peer has a name', () =>
    scene(async ({ dial }) => {
      const { peer, side } = await dial();
      side.onText = (text) => side.stream.write(text.toUpperCase());
      side.stream.gather();
      side.stream.write('größer ');
      side.stream.write(new Uint8Array([97, 10]));
      peer.socket.write('hello');
      await until(() => peer.text.length === 'größer a\nHELLO'.length);
      assert.equal(peer.text, 'größer a\nHELLO');
      assert.match(side.stream.peer, kind === 'unix' ? /^unix$/ : /^127\.0\.0\.1:\d+$/);
      assert.equal(side.stream.unsentBytes, 0);
    }));

  test('many at once are served, each its own', () =>
    scene(async ({ dial, sides }) => {
      const all: { readonly peer: Peer }[] = [];
      while (all.length < 100) all.push(await dial());
      for (const side of sides) side.onText = (text) => side.stream.write(`${text}!`);
      for (const [nth, { peer }] of all.entries()) peer.socket.write(`${nth}`);
      for (const [nth, { peer }] of all.entries()) {
        await until(() => peer.text === `${nth}!`);
      }
    }));

  test('a peer that ends its side first is told of, and still gets its answers', () =>
    scene(async ({ dial }) => {
      const { peer, side } = await dial();
      peer.socket.end('last words');
      await until(() => side.hasEnded);
      assert.equal(side.text, 'last words');
      side.stream.write('x'.repeat(MANY_BYTES));
      side.stream.end();
      await until(() => peer.hasEnded && side.closed === 1);
      assert.equal(peer.text.length, MANY_BYTES);
    }));

  test('end() sends what was written, and reads on until the peer ends', () =>
    scene(async ({ dial }) => {
      const { peer, side } = await dial();
      side.stream.write('all of it');
      side.stream.end();
      side.stream.write('nothing more');
      await until(() => peer.hasEnded);
      assert.equal(peer.text, 'all of it');
      assert.equal(side.closed, 0);
      peer.socket.end('and this');
      await until(() => side.closed === 1);
      assert.equal(side.text, 'and this');
    }));

  test('what a peer does not read waits, is counted, and arrives whole and in order', () =>
    scene(async ({ dial }) => {
      const { peer, side } = await dial();
      peer.socket.pause();
      let expected = '';
      for (let nth = 0; expected.length < OWED_BYTES; nth++) {
        const part = `${nth} `.repeat(nth % 3000);
        expected += part;
        if (nth % 2 === 0) side.stream.write(part);
        else side.stream.write(Buffer.from(part));
      }
      await until(() => side.stream.unsentBytes > 0);
      assert.equal(side.drains, 0);
      peer.socket.resume();
      await until(() => peer.text.length === expected.length);
      assert.equal(peer.text, expected);
      await until(() => side.drains > 0 && side.stream.unsentBytes === 0);
    }));

  test('a paused stream gives nothing, and all of it once it is resumed', () =>
    scene(async ({ dial }) => {
      const { peer, side } = await dial();
      side.stream.pause();
      peer.socket.end('y'.repeat(MANY_BYTES));
      // Another one's question and answer: by then the first bytes have come as well.
      const other = await dial();
      other.side.onText = () => other.side.stream.write('pong');
      other.peer.socket.write('ping');
      await until(() => other.peer.text === 'pong');
      assert.ok(side.text.length < MANY_BYTES / 2, `${side.text.length} bytes came`);
      assert.equal(side.hasEnded, false);
      side.stream.resume();
      await until(() => side.hasEnded);
      assert.equal(side.text.length, MANY_BYTES);
    }));

  test('destroy() ends both sides, is told once, and never from inside a call', () =>
    scene(async ({ dial }) => {
      const { peer, side } = await dial();
      side.stream.destroy();
      assert.equal(side.closed, 0);
      side.stream.destroy();
      side.stream.write('nobody');
      side.stream.resume();
      side.stream.end();
      await until(() => side.closed === 1 && peer.hasEnded);
      const again = await dial();
      again.side.onText = () => again.side.stream.destroy();
      again.peer.socket.write('go away');
      await until(() => again.side.closed === 1 && again.peer.hasEnded);
      assert.equal(peer.text, '');
    }));

  test('a peer that is gone while it is owed something is told of, and harms nobody', () =>
    scene(async ({ dial }) => {
      const { peer, side } = await dial();
      const other = await dial();
      peer.socket.pause();
      side.stream.write('z'.repeat(OWED_BYTES));
      await until(() => side.stream.unsentBytes > 0);
      peer.socket.destroy();
      await until(() => side.closed === 1 || side.hasEnded);
      side.stream.destroy();
      await until(() => side.closed === 1);
      other.side.stream.write('fine');
      await until(() => other.peer.text === 'fine');
    }));

  test('a closed listener takes nobody more, and those who are in stay', () =>
    scene(async ({ dial, close, url, path }) => {
      const { peer, side } = await dial();
      await close();
      await close();
      if (kind === 'unix') assert.equal(existsSync(path), false);
      const late = connect(kind === 'unix' ? { path } : { port: Number(url.split(':').at(-1)) });
      let refused: unknown;
      late.once('error', (error) => {
        refused = error;
      });
      await until(() => refused !== undefined);
      assert.match(String(codeOf(refused)), /^(?:ENOENT|ECONNREFUSED)$/);
      side.stream.write('still here');
      await until(() => peer.text === 'still here');
    }));

  test('a place that is taken is an error that names it', () =>
    scene(async ({ url, listen }) => {
      const place = parsePlace(url);
      assert.ok(place !== undefined);
      await assert.rejects(
        listen(
          place,
          () => undefined,
          () => undefined,
        ),
        (error: Error) => codeOf(error) === 'NET_BIND_FAILED' && error.message.includes(url),
      );
    }));
}
