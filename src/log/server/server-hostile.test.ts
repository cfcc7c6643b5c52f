// Peers that break the protocol, stall, lie about lengths or never read, against a real server; and
// what is left of a connection when it is gone.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { type Clock, SystemClock, sleep } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { codeOf } from '#base/errors.ts';
import { silentLogger } from '#base/logger.ts';
import { below, SeededRandom, SystemRandom } from '#base/random.ts';
import { RemoteLog, type RemoteLogOptions } from '#log/client/remote-log.ts';
import { type LogConfig, logConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import { Registry } from '#metrics/registry.ts';
import { loopbackPair } from '#net/stream-loopback.ts';
import { dialNode, listenNode } from '#net/stream-node.ts';
import { testSeed } from '#sim/seed.ts';
import { LogServer } from './server.ts';

/** Counts timers that were set and neither ran nor were cancelled. */
class CountingClock implements Clock {
  readonly #clock = new SystemClock();
  timers = 0;
  nowMs(): number {
    return this.#clock.nowMs();
  }
  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }
  after(delayMs: number, run: () => void): { cancel(): void } {
    this.timers++;
    let isOver = false;
    const over = (): void => {
      if (!isOver) this.timers--;
      isOver = true;
    };
    const timer = this.#clock.after(delayMs, () => {
      over();
      run();
    });
    return {
      cancel: () => {
        over();
        timer.cancel();
      },
    };
  }
}

const SECRET = utf8('the secret of this test');

describe('log server, hostile peers', () => {
  const clock = new SystemClock();
  let folder = '';
  let log: LocalLog;
  let server: LogServer;
  let serverClock: CountingClock;
  let isStarted = false;

  async function start(
    overrides: Partial<LogConfig> = {},
    secret?: Uint8Array,
  ): Promise<LogConfig> {
    const config = logConfig.parse({ serverReadMs: 1000, serverAuthMs: 1500, ...overrides });
    serverClock = new CountingClock();
    const world = { random: new SystemRandom(), logger: silentLogger, config };
    const metrics = new Registry();
    const disk = new SystemDisk();
    log = await LocalLog.open({ ...world, clock, metrics, disk, folder: `${folder}/log` });
    await log.createTopic('t', { consistency: 'durable' });
    server = new LogServer({
      ...world,
      clock: serverClock,
      metrics,
      log,
      ...(secret === undefined ? undefined : { secret }),
    });
    await server.listen(listenNode, { kind: 'unix', path: `${folder}/s` });
    isStarted = true;
    return config;
  }

  beforeEach(() => {
    folder = mkdtempSync(`${tmpdir()}/sk-hostile-`);
  });

  afterEach(async () => {
    if (isStarted) {
      await server.close(200);
      await log.close();
    }
    isStarted = false;
    rmSync(folder, { recursive: true });
  });

  /** Everything the server says until it closes, or until `until` is in it. */
  async function talk(bytes: string | Uint8Array, until?: string): Promise<string> {
    const socket = connect(`${folder}/s`);
    try {
      return await hear(socket, bytes, until);
    } finally {
      socket.destroy();
    }
  }

  function hear(socket: Socket, bytes: string | Uint8Array, until?: string): Promise<string> {
    return new Promise((resolve) => {
      let text = '';
      socket.on('data', (part) => {
        text += part.toString('latin1');
        if (until !== undefined && text.includes(until)) resolve(text);
      });
      socket.on('error', () => {});
      socket.on('close', () => resolve(text));
      socket.write(bytes);
    });
  }

  function remote(options: Partial<RemoteLogOptions> = {}): Promise<RemoteLog> {
    return RemoteLog.connect({
      clock,
      random: new SystemRandom(),
      logger: silentLogger,
      dial: (signal) => dialNode({ kind: 'unix', path: `${folder}/s` }, signal),
      ...options,
    });
  }

  async function eventually(condition: () => boolean, what: string): Promise<void> {
    const deadlineMs = clock.monotonicMs() + 30_000;
    while (!condition()) {
      assert.ok(clock.monotonicMs() < deadlineMs, what);
      await sleep(clock, 5);
    }
  }

  it('a giant command line ends the connection, and costs no memory', async () => {
    await start();
    const text = await talk(`PING ${'9'.repeat(2_000_000)}`);
    assert.match(text, /ERR 0 LOG_PROTOCOL - .*more than 1024 bytes/);
  });

  it('what is no request ends the connection with a reason', async () => {
    await start();
    const wrong = [
      'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
      'PING\n',
      'PING 0\n',
      'PING -1\n',
      'PING 1.5\n',
      'PING 4294967296\n',
      'PING 1 2\n',
      'APPEND 1 t - -5\nhello',
      'APPEND 1 t - 99999999999999999999\n',
      'READ 1 t x 0 0 0\n',
      'COMMIT 1 t me\n',
      '\0\0\0\0\n',
    ];
    for (const line of wrong) assert.match(await talk(line), /ERR \d+ LOG_PROTOCOL /, line);
  });

  it('a body longer than told is taken as the next line, one shorter is waited for in vain', async () => {
    await start();
    assert.match(await talk('APPEND 1 t - 2\nhello\n'), /ERR 0 LOG_PROTOCOL/);
    const late = await talk('APPEND 2 t - 100\nhello');
    assert.match(late, /ERR 0 LOG_TIMED_OUT - .*a request was not completed/);
  });

  it('a body too large is read past and refused, and the connection goes on', async () => {
    await start({ batchBytesMax: 1024 });
    const text = await talk(`APPEND 1 t - 5000\n${'x'.repeat(5000)}PING 2\n`, 'OK 2');
    assert.match(text, /ERR 1 LOG_BATCH_TOO_LARGE/);
    assert.match(text, /OK 2\n/);
  });

  it('a peer that sends a byte now and then is closed by the deadline of one request', async () => {
    await start();
    // A byte that crosses the server's last words resets the connection, and they are lost.
    for (let tries = 1; ; tries++) {
      const socket = connect(`${folder}/s`);
      const heard = hear(socket, 'P');
      const dripping = (async () => {
        for (const letter of 'ING 1 and so on for a long time') {
          await sleep(clock, 100);
          if (!socket.writable) return 'closed';
          socket.write(letter);
        }
        return 'open';
      })();
      const words = await heard;
      socket.destroy();
      assert.equal(await dripping, 'closed');
      if (tries < 5 && !words.includes('ERR')) continue;
      assert.match(words, /LOG_TIMED_OUT/);
      return;
    }
  });

  it('a silent connection is closed when it is idle too long', async () => {
    await start({ serverIdleMs: 60 });
    assert.match(await talk(''), /ERR 0 LOG_TIMED_OUT - .*nothing was asked/);
  });

  it('wrong secrets, no secret and no answer to the challenge get nothing but the door', async () => {
    await start({}, SECRET);
    const hex = 'ab'.repeat(32);
    assert.match(await talk(`AUTH 1 ${hex} ${hex}\n`), /ERR 1 LOG_AUTH_FAILED/);
    assert.match(await talk('TOPICS 1\n'), /^HELLO \S+ hmac-sha256 [0-9a-f]{64}\nERR 1 LOG_AUTH/);
    assert.match(await talk('APPEND 1 t - 1000000\n'), /ERR 0 LOG_PROTOCOL/);
    assert.match(await talk(''), /ERR 0 LOG_TIMED_OUT - .*secret/);
    const wrong = remote({ secret: utf8('another secret, as long'), giveUpMs: 10_000 });
    await assert.rejects(wrong, (error) => codeOf(error) === 'LOG_AUTH_FAILED');
    await assert.rejects(
      remote({ giveUpMs: 10_000 }),
      (error) => codeOf(error) === 'LOG_AUTH_FAILED',
    );
    const right = await remote({ secret: SECRET });
    assert.equal((await right.topics()).length, 1);
    await right.close();
    assert.equal((await log.stats('t')).nextOffset, 0);
  });

  it('a challenge is never the same twice', async () => {
    await start({}, SECRET);
    const seen = new Set<string>();
    for (let nth = 0; nth < 5; nth++) seen.add(await talk('PING 1\n'));
    assert.equal(seen.size, 5);
  });

  it('a client with a secret does not trust a server that cannot prove it', async () => {
    await start();
    const refused = remote({ secret: SECRET, giveUpMs: 10_000 });
    await assert.rejects(refused, (error) => codeOf(error) === 'LOG_AUTH_FAILED');
  });

  it('connections beyond the bound are told so and closed; others go on', async () => {
    await start({ serverConnectionsMax: 3 });
    const clients = await Promise.all([remote(), remote(), remote()]);
    assert.match(await talk(''), /^$|ERR 0 LOG_CONNECTIONS_FULL/);
    await assert.rejects(remote({ giveUpMs: 200 }), (error) => codeOf(error) === 'LOG_UNREACHABLE');
    assert.equal((await clients[0].topics()).length, 1);
    for (const client of clients) await client.close();
    await eventually(() => server.stats.connections === 0, 'the connections are gone');
    await (await remote()).close();
  });

  it('10,000 half-open connections are bounded, swept, and hurt nobody who is in', async () => {
    await start({ serverConnectionsMax: 100 }, SECRET);
    const inside = await remote({ secret: SECRET });
    let most = 0;
    for (let round = 0; round < 100; round++) {
      for (let nth = 0; nth < 100; nth++) {
        const [near, far] = loopbackPair();
        near.start({ onData() {}, onDrain() {}, onEnd() {}, onClosed() {} });
        server.accept(far);
      }
      most = Math.max(most, server.stats.connections);
      if (round % 25 === 0) await inside.append('t', [{ value: utf8('still here') }]);
    }
    assert.equal(most, 100);
    await eventually(() => server.stats.connections === 1, 'the half-open ones are swept');
    await inside.close();
  });

  it('a client that never reads is dropped, and no append waits for it', async () => {
    const asks = Array.from({ length: 200 }, (_, nth) => `READ ${nth + 1} t 0 0 0 0\n`).join('');
    const neverRead = async (serverWriteMs: number): Promise<Socket> => {
      await start({ serverWriteMs, batchBytesMax: 1024 * 1024 });
      const value = new Uint8Array(200_000);
      for (let nth = 0; nth < 20; nth++) await log.append('t', [{ value }]);
      const socket = connect(`${folder}/s`);
      socket.pause();
      socket.on('error', () => {});
      socket.write(asks);
      await eventually(() => server.stats.running > 0, 'the reads have begun');
      return socket;
    };
    // An append that waited for this one would wait until it was gone.
    const kept = await neverRead(3_600_000);
    let mostBytes = 0;
    for (let nth = 0; nth < 20; nth++) {
      await log.append('t', [{ value: utf8('quick') }]);
      mostBytes = Math.max(mostBytes, server.stats.unsentBytes);
    }
    assert.equal(server.stats.connections, 1, 'it is there yet');
    assert.ok(mostBytes < 200 * 1_500_000, `bounded: ${mostBytes}`);
    kept.destroy();
    await server.close(200);
    await log.close();
    const dropped = await neverRead(300);
    await eventually(() => server.stats.connections === 0, 'it is dropped');
    dropped.destroy();
  });

  it('a closed connection leaves no reader, timer or buffer behind', async () => {
    const config = await start({ readersMax: 3 });
    for (let round = 0; round < 10; round++) {
      const client = await remote();
      const reads = [0, 1, 2].map(() => client.read('t', { from: 'end', waitMs: 60_000 }));
      const settled = Promise.allSettled(reads);
      await eventually(() => server.stats.running === 3, 'the readers wait');
      if (round % 2 === 0) client.destroy();
      else await client.close();
      await settled;
      const isGone = (): boolean =>
        server.stats.connections === 0 && server.stats.running === 0 && serverClock.timers === 0;
      await eventually(isGone, 'the connection, its readers and its timers are gone');
      assert.deepEqual({ ...server.stats, startedMs: 0, accepted: 0 }, EMPTY);
      assert.equal(serverClock.timers, 0, 'no timer is left');
    }
    assert.equal(config.readersMax, 3);
    // All places are free again.
    assert.deepEqual((await log.read('t', { from: 0, waitMs: 1 })).records, []);
  });

  it('bytes at random never harm the server', async (t) => {
    await start();
    const seed = testSeed(t, 1);
    const random = new SeededRandom(seed);
    const words = [
      'PING',
      'APPEND',
      'BATCH',
      'READ',
      'TAIL',
      'STATS',
      'TOPICS',
      'CANCEL',
      'COMMIT',
    ];
    const parts = [
      '1',
      '2',
      't',
      '-',
      'durable',
      '0',
      '5',
      '64',
      'end',
      '@1',
      '\n',
      'x',
      '\0',
      '\r',
    ];
    for (let round = 0; round < 400; round++) {
      let text = '';
      for (let nth = below(random, 6); nth >= 0; nth--) {
        text += words[below(random, words.length)];
        for (let word = below(random, 7); word > 0; word--) {
          text += ` ${parts[below(random, parts.length)]}`;
        }
        text += below(random, 4) === 0 ? '' : '\n';
        if (below(random, 3) === 0) text += String.fromCharCode(...random.bytes(below(random, 90)));
      }
      const [near, far] = loopbackPair();
      near.start({ onData() {}, onDrain() {}, onEnd() {}, onClosed() {} });
      server.accept(far);
      const bytes = Buffer.from(text, 'latin1');
      const cut = below(random, bytes.byteLength + 1);
      near.write(bytes.subarray(0, cut));
      near.write(bytes.subarray(cut));
      if (below(random, 2) === 0) near.end();
      else near.destroy();
    }
    const client = await remote();
    assert.ok((await client.topics()).length >= 1, `seed ${seed}`);
    await client.close();
    await eventually(() => server.stats.connections === 0, `all are gone; seed ${seed}`);
  });

  it('bytes at random from a server never harm a client', async (t) => {
    const seed = testSeed(t, 2);
    const random = new SeededRandom(seed);
    const limits =
      '{"protocol":1,"id":"x","epoch":1,"batchBytesMax":1000,"batchRecordsMax":10,"readRecordsMax":10,"readBytesMax":1000,"requestsMax":10,"waitMsMax":100,"idleMs":1000}';
    const greeting = `HELLO swarmkeep-log/1 none -\nJSON 0 ${limits.length}\n${limits}`;
    const answers = ['OK 2 5 1', 'DATA 2 70', 'ERR 2 LOG_CLOSED - x', 'JSON 2 3', 'OK', 'NO 1', ''];
    for (let round = 0; round < 40; round++) {
      const log = await RemoteLog.connect({
        clock,
        random,
        logger: silentLogger,
        giveUpMs: 8,
        requestMs: 8,
        backoffMsMin: 1,
        dial: async () => {
          const [near, far] = loopbackPair();
          far.start({
            onData() {
              let text = '';
              for (let nth = below(random, 4); nth >= 0; nth--) {
                text += `${answers[below(random, answers.length)]}\n`;
                if (below(random, 2) === 0) text += String.fromCharCode(...random.bytes(70));
              }
              far.write(Buffer.from(text, 'latin1'));
            },
            onDrain() {},
            onEnd() {},
            onClosed() {},
          });
          far.write(greeting);
          return near;
        },
      });
      const calls = [log.read('t', { from: 0 }), log.append('t', [{ value: utf8('x') }])];
      const settled = await Promise.allSettled([...calls, log.stats('t')]);
      for (const one of settled) {
        if (one.status === 'rejected') {
          const isKnown = codeOf(one.reason) !== undefined || one.reason instanceof SyntaxError;
          assert.ok(isKnown, `seed ${seed}: ${one.reason}`);
        }
      }
      log.destroy();
    }
  });
});

const EMPTY = { startedMs: 0, accepted: 0, connections: 0, running: 0, unsentBytes: 0 };
