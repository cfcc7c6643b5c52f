// What the client does when connections break, servers go and come, and callers change their mind.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { SystemClock, sleep } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { codeOf } from '#base/errors.ts';
import { silentLogger } from '#base/logger.ts';
import { SystemRandom } from '#base/random.ts';
import { type LogConfig, logConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import type { Log } from '#log/log.ts';
import { LogWriter } from '#log/log-writer.ts';
import { LogServer } from '#log/server/server.ts';
import { Registry } from '#metrics/registry.ts';
import type { ByteStream } from '#net/byte-stream.ts';
import { loopbackPair } from '#net/stream-loopback.ts';
import { dialNode, listenNode } from '#net/stream-node.ts';
import { RemoteLog, type RemoteLogOptions } from './remote-log.ts';

const clock = new SystemClock();
const random = new SystemRandom();
const LONG_MS = 30_000;

describe('RemoteLog when things fail', () => {
  let folder = '';
  let local: LocalLog;
  let server: LogServer;
  /** The server's ends, to be broken. */
  let ends: ByteStream[] = [];
  const clients: RemoteLog[] = [];

  function newServer(config: LogConfig = logConfig.parse({ intervalMs: 1 })): LogServer {
    const logger = silentLogger;
    return new LogServer({ clock, random, logger, metrics: new Registry(), config, log: local });
  }

  beforeEach(async () => {
    folder = mkdtempSync(`${tmpdir()}/sk-remote-`);
    local = await openLocal('log');
    await local.createTopic('t', { consistency: 'durable' });
    server = newServer();
    ends = [];
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    await server.close(100);
    await local.close();
    rmSync(folder, { recursive: true });
  });

  function openLocal(name: string): Promise<LocalLog> {
    const config = logConfig.parse({ intervalMs: 1 });
    const world = { clock, random, logger: silentLogger, metrics: new Registry(), config };
    return LocalLog.open({ ...world, disk: new SystemDisk(), folder: `${folder}/${name}` });
  }

  let isReachable = true;
  async function connect(options: Partial<RemoteLogOptions> = {}): Promise<RemoteLog> {
    isReachable = true;
    const log = await RemoteLog.connect({
      clock,
      random,
      logger: silentLogger,
      backoffMsMin: 1,
      backoffMsMax: 10,
      dial: async () => {
        if (!isReachable) throw new Error('nobody is there');
        const [near, far] = loopbackPair();
        ends.push(far);
        server.accept(far);
        return near;
      },
      ...options,
    });
    clients.push(log);
    return log;
  }

  function breakAll(): void {
    for (const end of ends.splice(0)) end.destroy();
  }

  const record = (text: string) => ({ value: utf8(text) });
  const texts = async (log: Log): Promise<string[]> => {
    const { records } = await log.read('t', { from: 0 });
    return records.map(({ value }) => new TextDecoder().decode(value));
  };

  it('a waiting read goes on after the connection was lost', async () => {
    const log = await connect();
    const waiting = log.read('t', { from: 0, waitMs: LONG_MS });
    await log.stats('t');
    breakAll();
    await local.append('t', [record('a')]);
    assert.equal((await waiting).records.length, 1);
  });

  it('a waiting read goes on when the server is replaced by another in order', async () => {
    const log = await connect();
    const waiting = log.read('t', { from: 0, waitMs: LONG_MS });
    await log.stats('t');
    const closing = server.close();
    server = newServer();
    await closing;
    await local.append('t', [record('a')]);
    assert.equal((await waiting).records.length, 1);
  });

  it('calls wait for the connection and are answered when it is there', async () => {
    const log = await connect();
    isReachable = false;
    breakAll();
    const calls = [log.append('t', [record('a')]), log.stats('t'), log.topics()];
    await sleep(clock, 30);
    isReachable = true;
    await Promise.all(calls);
    assert.deepEqual(await texts(local), ['a']);
  });

  it('a call gives up when nobody is there, and says why', async () => {
    const log = await connect({ giveUpMs: 40 });
    isReachable = false;
    breakAll();
    for (const call of [log.append('t', [record('a')]), log.read('t', { from: 0 })]) {
      await assert.rejects(call, (error) => codeOf(error) === 'LOG_UNREACHABLE');
    }
  });

  it('an append without a stamp that was not answered says that nobody knows', async () => {
    const log = await connect({ isIdempotent: false });
    const append = log.append('t', [record('a')]);
    await null;
    await null;
    breakAll();
    const result = await append.catch((error: unknown) => codeOf(error));
    // Broken before it left, it goes again; after, its fate is unknown.
    if (typeof result === 'string') assert.equal(result, 'LOG_UNANSWERED');
    else assert.deepEqual(await texts(local), ['a']);
  });

  it('an append is cancelled at every stage: before, in its turn, without a connection, on its way', async () => {
    const log = await connect();
    const reason = new Error('enough');
    const before = log.append('t', [record('x')], { signal: AbortSignal.abort(reason) });
    await assert.rejects(before, reason);
    // In its turn: those that joined the same batch are written, in order.
    const abort = new AbortController();
    const first = log.append('t', [record('a')]);
    const taken = log.append('t', [record('no'), record('no')], { signal: abort.signal });
    const last = log.append('t', [record('b'), record('c')]);
    abort.abort(reason);
    await assert.rejects(taken, reason);
    assert.deepEqual(await first, { firstOffset: 0, count: 1 });
    assert.deepEqual(await last, { firstOffset: 1, count: 2 });
    // Without a connection.
    isReachable = false;
    breakAll();
    await sleep(clock, 10);
    const away = new AbortController();
    const waiting = log.append('t', [record('no')], { signal: away.signal });
    await sleep(clock, 10);
    away.abort(reason);
    await assert.rejects(waiting, reason);
    isReachable = true;
    // On its way: answered as it went, one way or the other.
    const late = new AbortController();
    const sent = log.append('t', [record('d')], { signal: late.signal });
    await sleep(clock, 0);
    late.abort(reason);
    const outcome = await sent.then(
      () => ['a', 'b', 'c', 'd'],
      () => ['a', 'b', 'c'],
    );
    assert.deepEqual(await texts(local), outcome);
  });

  it('a read and a connect are cancelled at every stage', async () => {
    const log = await connect();
    const reason = new Error('enough');
    const signal = AbortSignal.abort(reason);
    await assert.rejects(log.read('t', { from: 0, signal }), reason);
    for (const waitFirst of [false, true]) {
      const abort = new AbortController();
      const waiting = log.read('t', { from: 0, waitMs: LONG_MS, signal: abort.signal });
      if (waitFirst) await log.stats('t');
      abort.abort(reason);
      await assert.rejects(waiting, reason);
    }
    assert.equal((await log.stats('t')).nextOffset, 0);
    await sleep(clock, 5);
    assert.equal(server.stats.running, 0, 'the server waits for nobody');
    isReachable = false;
    breakAll();
    const abort = new AbortController();
    const waiting = log.read('t', { from: 0, signal: abort.signal });
    await sleep(clock, 5);
    abort.abort(reason);
    await assert.rejects(waiting, reason);
    const connecting = new AbortController();
    const dial = (): Promise<never> => Promise.reject(new Error('nobody'));
    const failing = RemoteLog.connect(
      { clock, random, logger: silentLogger, dial },
      connecting.signal,
    );
    connecting.abort(reason);
    await assert.rejects(failing, reason);
  });

  it('bytes beyond unansweredBytesMax are refused, and taken again when there is room', async () => {
    const log = await connect({ unansweredBytesMax: 1000 });
    const first = log.append('t', [record('x'.repeat(900))]);
    const refused = log.append('t', [record('x'.repeat(900))]);
    await assert.rejects(refused, (error) => codeOf(error) === 'LOG_QUEUE_FULL');
    await first;
    await log.append('t', [record('y')]);
    assert.equal(log.unansweredBytes, 0);
  });

  it('a batch that is damaged on its way is refused by the one who receives it, both ways', async () => {
    const mark = utf8('to be damaged');
    const flipped = (bytes: Uint8Array): Uint8Array => {
      const at = Buffer.from(bytes).indexOf(mark);
      if (at < 0) return bytes;
      const copy = bytes.slice();
      copy[at] = copy[at]! ^ 1;
      return copy;
    };
    let damages: 'reads' | 'appends' = 'reads';
    const dial = async (): Promise<ByteStream> => {
      const [near, far] = loopbackPair();
      server.accept(far);
      const start = near.start.bind(near);
      near.start = (handler) => {
        const onData = (bytes: Uint8Array): void =>
          handler.onData(damages === 'reads' ? flipped(bytes) : bytes);
        const rest = {
          onDrain: () => handler.onDrain(),
          onEnd: () => handler.onEnd(),
          onClosed: (error: Error | undefined) => handler.onClosed(error),
        };
        start({ onData, ...rest });
      };
      const write = near.write.bind(near);
      near.write = (bytes) => {
        const raw = typeof bytes === 'string' ? utf8(bytes) : bytes;
        write(damages === 'appends' ? flipped(raw) : raw);
      };
      return near;
    };
    const log = await connect({ dial });
    await local.append('t', [{ value: mark }]);
    await assert.rejects(log.read('t', { from: 0 }), (error) => codeOf(error) === 'LOG_PROTOCOL');
    damages = 'appends';
    await assert.rejects(
      log.append('t', [{ value: mark }]),
      (error) => codeOf(error) === 'LOG_BATCH_INVALID',
    );
    assert.equal((await local.stats('t')).nextOffset, 1);
  });

  it('many senders, one receiver: every record once, each sender in order', async () => {
    const senders = await Promise.all([0, 1, 2, 3].map(() => connect()));
    const writing = senders.map(async (log, sender) => {
      for (let nth = 0; nth < 100; nth++) await log.append('t', [record(`${sender} ${nth}`)]);
    });
    const receiver = await connect();
    const found: string[] = [];
    for (let from = 0; found.length < 400; ) {
      const result = await receiver.read('t', { from, waitMs: LONG_MS });
      for (const { value } of result.records) found.push(new TextDecoder().decode(value));
      from = result.nextOffset;
    }
    await Promise.all(writing);
    for (const sender of [0, 1, 2, 3]) {
      const own = found.filter((text) => text.startsWith(`${sender} `));
      assert.deepEqual(
        own,
        Array.from({ length: 100 }, (_, nth) => `${sender} ${nth}`),
      );
    }
  });

  it('a writer at its bound waits, or fails, or fills a backlog that drains in order', async () => {
    const log = await connect();
    const small = { log, clock, topic: 't', unflushedRecordsMax: 2, lingerMs: 1 };
    const failing = new LogWriter({ ...small, atBound: 'fail' });
    await failing.add(record('0'));
    await failing.add(record('1'));
    await assert.rejects(failing.add(record('x')), (e) => codeOf(e) === 'LOG_QUEUE_FULL');
    await failing.close();
    const waiting = new LogWriter(small);
    for (let nth = 2; nth < 10; nth++) await waiting.add(record(String(nth)));
    await waiting.close();
    const backlog = await openLocal('backlog');
    await backlog.createTopic('spill', { consistency: 'durable' });
    const spilling = new LogWriter({ ...small, atBound: { backlog, topic: 'spill' } });
    isReachable = false;
    breakAll();
    for (let nth = 10; nth < 30; nth++) await spilling.add(record(String(nth)));
    assert.ok((await backlog.stats('spill')).nextOffset > 10, 'the backlog has filled');
    isReachable = true;
    for (let nth = 30; nth < 40; nth++) await spilling.add(record(String(nth)));
    await spilling.close();
    await backlog.close();
    await backlog.close();
    assert.deepEqual(
      await texts(local),
      Array.from({ length: 40 }, (_, nth) => String(nth)),
    );
  });

  it('TLS on TCP: a certificate that is trusted lets in, another does not', async () => {
    const [key, certificate] = [`${folder}/key.pem`, `${folder}/cert.pem`];
    const program = 'openssl';
    execFileSync(
      program,
      `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ${key} -out ${certificate} -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost`.split(
        ' ',
      ),
      { stdio: 'ignore' },
    );
    const tls = { key: readFileSync(key, 'utf8'), certificate: readFileSync(certificate, 'utf8') };
    const place = { kind: 'tcp', host: '127.0.0.1', port: 0, tls } as const;
    const listener = await server.listen(listenNode, place);
    const port = Number(listener.url.split(':').at(-1));
    const dial = (ca?: string) => (signal: AbortSignal) => {
      const trust = { serverName: 'localhost', ...(ca === undefined ? undefined : { ca }) };
      return dialNode({ kind: 'tcp', host: '127.0.0.1', port, tls: trust }, signal);
    };
    const log = await connect({ dial: dial(tls.certificate) });
    await log.append('t', [record('private')]);
    assert.deepEqual(await texts(log), ['private']);
    const stranger = connect({ dial: dial(), giveUpMs: 50 });
    await assert.rejects(stranger, (error) => codeOf(error) === 'LOG_UNREACHABLE');
  });

  it('STATS agrees with what was written', async () => {
    const log = await connect();
    for (let nth = 1; nth <= 20; nth++) {
      await log.append(
        't',
        Array.from({ length: nth }, () => record('x')),
      );
    }
    assert.deepEqual(await log.stats('t'), await local.stats('t'));
    assert.deepEqual(await log.topics(), await local.topics());
    assert.equal((await log.stats('t')).nextOffset, 210);
  });
});
