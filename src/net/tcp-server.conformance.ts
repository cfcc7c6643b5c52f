// What every TcpServer does, whichever way its slots are filled. An implementation's own test calls
// `tcpServerSuite(name, open)`; the handler under test speaks lines: each is answered by itself, and
// the peers are plain sockets of Node's.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { codeOf } from '#base/errors.ts';
import type { OpenTcp, TcpConnection, TcpHandler, TcpOptions, TcpServer } from './tcp-server.ts';
import { type DialPeer, newPeer, pause, until } from './test-tcp-peer.ts';

const LF = 0x0a;

/**
 * Answers each line by itself; `hold …` waits, `end …` closes, `many N` answers N bytes, `last N` does
 * so and closes, `idle N` allows N ms of silence.
 */
class Lines implements TcpHandler {
  readonly held: TcpConnection[] = [];
  readonly seen: string[] = [];
  closed = 0;

  onInput(connection: TcpConnection): void {
    for (;;) {
      const { input, inputLength } = connection;
      const end = input.subarray(0, inputLength).indexOf(LF);
      if (end < 0) return;
      const line = Buffer.from(input.subarray(0, end)).toString();
      const isMany = /^(?:many|last) /.test(line);
      const many = isMany ? Number(line.slice(5)) : end + 1;
      if (connection.output.length - connection.outputLength < many) return;
      connection.consume(end + 1);
      this.seen.push(line);
      if (line.startsWith('hold')) {
        connection.hold();
        this.held.push(connection);
        return;
      }
      if (line.startsWith('idle ')) connection.setIdle(Number(line.slice(5)));
      const answer = isMany ? Buffer.alloc(many, 'x') : Buffer.from(`${line}\n`);
      connection.output.set(answer, connection.outputLength);
      connection.produce(answer.byteLength);
      if (line.startsWith('end') || line.startsWith('last')) {
        connection.end();
        return;
      }
    }
  }

  onClosed(): void {
    this.closed++;
  }
}

const DEFAULTS: Omit<TcpOptions, 'handler'> = {
  address: '127.0.0.1',
  port: 0,
  backlog: 128,
  connectionsMax: 64,
  inputBytesMax: 256,
  outputBytesMax: 4096,
  // Longer than any test: those that wait for a deadline set their own.
  idleMsMax: 60_000,
  readMsMax: 60_000,
  writeMsMax: 60_000,
  onFailed: (error) => {
    throw error;
  },
};

/** How the peers of an implementation differ from plain sockets. */
interface Peers {
  readonly dial: DialPeer;
  /** False where a connection has no halves: who ends its side takes no more. */
  readonly haveHalves: boolean;
}

export function tcpServerSuite(
  name: string,
  open: OpenTcp,
  { dial, haveHalves }: Peers = { dial: newPeer, haveHalves: true },
): void {
  describe(`${name} as a TcpServer`, () => {
    for (const address of ['127.0.0.1', '::1']) {
      test(`answers requests in order over ${address}`, async () => {
        const server = await open({ ...DEFAULTS, address, handler: new Lines() });
        const peer = await dial(server.bound);
        peer.write('one\ntwo\n');
        peer.write('thr');
        peer.write('ee\n');
        assert.equal(await peer.read(14), 'one\ntwo\nthree\n');
        peer.destroy();
        await server.close(100);
      });
    }

    test('tells the address of the peer as bytes', async () => {
      const handler = new Lines();
      const server = await open({ ...DEFAULTS, handler });
      const peer = await dial(server.bound);
      peer.write('hold\n');
      await until(() => handler.held.length === 1);
      const connection = handler.held[0]!;
      assert.equal(connection.family, 4);
      assert.deepEqual([...connection.address.subarray(0, 4)], [127, 0, 0, 1]);
      assert.equal(connection.port, peer.localPort);
      peer.destroy();
      await server.close(100);
    });

    test('many pipelined requests are all answered, however small the buffers', async () => {
      const server = await open({ ...DEFAULTS, outputBytesMax: 64, handler: new Lines() });
      const peer = await dial(server.bound);
      const text = Array.from({ length: 5000 }, (_, index) => `line ${index}\n`).join('');
      peer.write(text);
      assert.equal(await peer.read(text.length), text);
      peer.destroy();
      await server.close(100);
    });

    test('a held connection gets no input until it is released', async () => {
      const handler = new Lines();
      const server = await open({ ...DEFAULTS, handler });
      const peer = await dial(server.bound);
      peer.write('hold\nafter\n');
      await until(() => handler.held.length === 1);
      await pause(20);
      assert.deepEqual(handler.seen, ['hold']);
      const connection = handler.held[0]!;
      connection.output.set(Buffer.from('held\n'), connection.outputLength);
      connection.produce(5);
      connection.flush();
      connection.release();
      assert.equal(await peer.read(11), 'held\nafter\n');
      peer.destroy();
      await server.close(100);
    });

    test('end() sends what was produced, then closes', async () => {
      const handler = new Lines();
      const server = await open({ ...DEFAULTS, handler });
      const peer = await dial(server.bound);
      peer.write('end now\nignored\n');
      assert.equal(await peer.readToEnd(), 'end now\n');
      await until(() => handler.closed === 1);
      assert.deepEqual(handler.seen, ['end now']);
      await server.close(100);
    });

    test('a peer that ends its side first still gets its answers', async () => {
      const server = await open({ ...DEFAULTS, handler: new Lines() });
      const peer = await dial(server.bound);
      peer.finish('one\ntwo\n');
      assert.equal(await peer.readToEnd(), 'one\ntwo\n');
      await server.close(100);
    });

    test('a request that does not fit its input ends the connection', async () => {
      const handler = new Lines();
      const server = await open({ ...DEFAULTS, handler });
      const peer = await dial(server.bound);
      peer.write('x'.repeat(1000));
      await until(() => handler.closed === 1);
      await server.close(100);
    });

    test('a slow reader is dropped when its deadline has passed', async () => {
      const handler = new Lines();
      const server = await open({
        ...DEFAULTS,
        outputBytesMax: 1 << 20,
        writeMsMax: 200,
        handler,
      });
      const peer = await dial(server.bound, { reads: false });
      peer.write(`many ${1 << 20}\n`.repeat(12));
      await until(() => handler.closed === 1);
      // The kernel's buffers took some; the rest was never held for the peer.
      assert.ok(handler.seen.length < 12);
      peer.destroy();
      await server.close(100);
    });

    test('an unfinished request and an idle connection are closed by their deadlines', async () => {
      const handler = new Lines();
      const server = await open({ ...DEFAULTS, readMsMax: 500, idleMsMax: 1000, handler });
      const unfinished = await dial(server.bound);
      unfinished.write('no line feed');
      const idle = await dial(server.bound);
      idle.write('answered\n');
      assert.equal(await idle.readToEnd(), 'answered\n');
      await until(() => handler.closed === 2);
      await server.close(100);
    });

    test('more than connectionsMax are closed, and places become free again', async () => {
      const handler = new Lines();
      const server = await open({ ...DEFAULTS, connectionsMax: 2, handler });
      const first = await dial(server.bound);
      const second = await dial(server.bound);
      first.write('a\n');
      second.write('b\n');
      await first.read(2);
      await second.read(2);
      const third = await dial(server.bound);
      assert.equal(await third.readToEnd(), '');
      assert.equal(server.connections, 2);
      first.destroy();
      await until(() => server.connections === 1);
      const fourth = await dial(server.bound);
      fourth.write('d\n');
      assert.equal(await fourth.read(2), 'd\n');
      second.destroy();
      fourth.destroy();
      await server.close(100);
    });

    test('peers that reset the connection end nothing', async () => {
      const handler = new Lines();
      const server = await open({ ...DEFAULTS, handler });
      for (let index = 0; index < 20; index++) {
        const peer = await dial(server.bound);
        peer.write('hello\nhold\n');
        peer.reset();
      }
      const peer = await dial(server.bound);
      peer.write('still there\n');
      assert.equal(await peer.read(12), 'still there\n');
      peer.destroy();
      await until(() => server.connections === 0);
      await server.close(100);
    });

    test('a slow reader that goes on reading gets all of it', async () => {
      const handler = new Lines();
      const outputBytesMax = 1 << 20;
      const server = await open({ ...DEFAULTS, outputBytesMax, handler });
      const peer = await dial(server.bound, { reads: false });
      peer.write(`many ${outputBytesMax}\n`.repeat(8));
      await pause(30);
      const length = 8 * outputBytesMax;
      const text = await peer.readSlowly(length);
      assert.equal(text.length, length);
      assert.equal(handler.seen.length, 8);
      peer.destroy();
      await server.close(100);
    });

    test('requests of a peer that reads no answers are not handled', async () => {
      const handler = new Lines();
      const outputBytesMax = 1 << 20;
      const server = await open({ ...DEFAULTS, outputBytesMax, handler });
      const peer = await dial(server.bound, { reads: false });
      for (let index = 0; index < 40; index++) peer.write(`many ${outputBytesMax}\n`);
      let before: number;
      do {
        before = handler.seen.length;
        await pause(100);
      } while (before === 0 || handler.seen.length !== before);
      assert.ok(before < 40, 'it came to rest before the last of them');
      peer.destroy();
      await until(() => handler.closed === 1);
      await server.close(100);
    });

    test('a last answer arrives whole although the peer had sent more', async () => {
      const handler = new Lines();
      const server = await open({ ...DEFAULTS, outputBytesMax: 1 << 20, handler });
      for (let index = 0; index < 20; index++) {
        const peer = await dial(server.bound);
        peer.write(`last ${1 << 19}\n${'unread '.repeat(index * 2000)}`);
        assert.equal((await peer.readToEnd()).length, 1 << 19);
        peer.destroy();
      }
      await until(() => handler.closed === 20);
      await server.close(100);
    });

    test('a peer that ends its side first gets a long answer whole', {
      skip: haveHalves ? false : 'a TLS stream of Node has no half',
    }, async () => {
      const handler = new Lines();
      const server = await open({ ...DEFAULTS, outputBytesMax: 1 << 20, handler });
      const peer = await dial(server.bound);
      peer.finish(`many ${1 << 20}\nmany ${1 << 20}\n`);
      assert.equal((await peer.readToEnd()).length, 2 << 20);
      await until(() => handler.closed === 1);
      await server.close(100);
    });

    test('a peer that resets in the middle of its answer is gone and harms nobody', async () => {
      const handler = new Lines();
      const server = await open({ ...DEFAULTS, outputBytesMax: 1 << 20, handler });
      const other = await dial(server.bound);
      for (let index = 0; index < 10; index++) {
        const peer = await dial(server.bound, { reads: false });
        peer.write(`many ${1 << 20}\n`.repeat(8));
        await until(() => handler.seen.length > index * 8);
        peer.reset();
        await until(() => handler.closed === index + 1);
        while (handler.seen.length < (index + 1) * 8) handler.seen.push('never');
        other.write(`round ${index}\n`);
        assert.equal(await other.read(8), `round ${index}\n`);
        handler.seen.length = (index + 1) * 8;
      }
      assert.equal(server.connections, 1);
      other.destroy();
      await server.close(100);
    });

    test('answers produced for another connection, and from outside, go out', async () => {
      const handler = new Lines();
      const server = await open({ ...DEFAULTS, handler });
      const first = await dial(server.bound);
      first.write('hold\n');
      await until(() => handler.held.length === 1);
      const connection = handler.held[0]!;
      for (let index = 0; index < 100; index++) {
        connection.output.set(Buffer.from('tick\n'), connection.outputLength);
        connection.produce(5);
        connection.flush();
        if (index % 10 === 0) await pause(1);
      }
      assert.equal(await first.read(500), 'tick\n'.repeat(100));
      connection.release();
      first.write('on\n');
      assert.equal(await first.read(3), 'on\n');
      first.destroy();
      await server.close(100);
    });

    test('what is done to a connection that has gone reaches nobody', async () => {
      const handler = new Lines();
      const server = await open({ ...DEFAULTS, connectionsMax: 1, handler });
      const first = await dial(server.bound);
      first.write('hold\n');
      await until(() => handler.held.length === 1);
      first.reset();
      await until(() => handler.closed === 1);
      const gone = handler.held[0]!;
      gone.output.set(Buffer.from('late\n'), gone.outputLength);
      gone.produce(5);
      gone.flush();
      gone.release();
      gone.setIdle(1);
      gone.end();
      gone.destroy();
      const second = await dial(server.bound);
      second.write('mine\n');
      assert.equal(await second.read(5), 'mine\n');
      second.destroy();
      await server.close(100);
    });

    test('setIdle() gives one connection its own deadline', async () => {
      const handler = new Lines();
      const server = await open({ ...DEFAULTS, idleMsMax: 1000, handler });
      const patient = await dial(server.bound);
      patient.write('idle 50000\n');
      assert.equal(await patient.read(11), 'idle 50000\n');
      const usual = await dial(server.bound);
      usual.write('a\n');
      assert.equal(await usual.readToEnd(), 'a\n');
      patient.write('still here\n');
      assert.equal(await patient.read(11), 'still here\n');
      patient.write('idle 10\n');
      assert.equal(await patient.readToEnd(), 'idle 10\n');
      await server.close(100);
    });

    test('a thousand connections at once are served, also when they ask again and again', async () => {
      const server = await open({
        ...DEFAULTS,
        connectionsMax: 1000,
        backlog: 1024,
        handler: new Lines(),
      });
      const peers = await Promise.all(Array.from({ length: 1000 }, () => dial(server.bound)));
      for (let round = 0; round < 3; round++) {
        for (const [index, peer] of peers.entries()) peer.write(`peer ${index}\n`);
        for (const [index, peer] of peers.entries()) {
          const line = `peer ${index}\n`;
          assert.equal(await peer.read(line.length), line);
        }
      }
      assert.equal(server.connections, 1000);
      for (const peer of peers) peer.destroy();
      await until(() => server.connections === 0);
      await server.close(100);
    });

    test('connection after connection, each closed with its answer, loses none', async () => {
      const handler = new Lines();
      const server = await open({ ...DEFAULTS, connectionsMax: 8, handler });
      for (let index = 0; index < 50; index++) {
        const peers = await Promise.all(Array.from({ length: 8 }, () => dial(server.bound)));
        for (const peer of peers) peer.write(`end ${index}\n`);
        for (const peer of peers) assert.equal(await peer.readToEnd(), `end ${index}\n`);
        await until(() => server.connections === 0);
      }
      assert.equal(handler.closed, 400);
      await server.close(100);
    });

    test('listeners that share a port serve its connections between them', async () => {
      const handlers = [new Lines(), new Lines()];
      const servers: TcpServer[] = [];
      for (const [index, handler] of handlers.entries()) {
        const port = servers[0]?.bound.port ?? 0;
        servers.push(await open({ ...DEFAULTS, port, share: { index, count: 2 }, handler }));
      }
      const { bound } = servers[0]!;
      const peers = await Promise.all(Array.from({ length: 40 }, () => dial(bound)));
      for (const peer of peers) peer.write('hello\n');
      for (const peer of peers) assert.equal(await peer.read(6), 'hello\n');
      assert.ok(handlers.every((handler) => handler.seen.length > 0));
      await assert.rejects(
        open({
          ...DEFAULTS,
          port: bound.port,
          share: { index: 0, count: 2 },
          handler: new Lines(),
        }),
        (error) => codeOf(error) === 'NET_BIND_FAILED',
      );
      for (const peer of peers) peer.destroy();
      await Promise.all(servers.map((server) => server.close(100)));
    });

    test('close() lets produced output go out, accepts no more and drops who lingers', async () => {
      const handler = new Lines();
      const server = await open({ ...DEFAULTS, handler });
      const reader = await dial(server.bound);
      reader.write('last\n');
      assert.equal(await reader.read(5), 'last\n');
      const holder = await dial(server.bound);
      holder.write('hold\n');
      await until(() => handler.held.length === 1);
      await server.close(100);
      await server.close(100);
      assert.equal(await reader.readToEnd(), '');
      assert.equal(handler.closed, 2);
      await assert.rejects(dial(server.bound));
    });

    test('a port that is taken is an error that names address and port', async () => {
      const server = await open({ ...DEFAULTS, handler: new Lines() });
      const { port } = server.bound;
      await assert.rejects(
        open({ ...DEFAULTS, port, handler: new Lines() }),
        (error: Error) =>
          codeOf(error) === 'NET_BIND_FAILED' && error.message.includes(`127.0.0.1:${port}`),
      );
      await server.close(100);
    });
  });
}
