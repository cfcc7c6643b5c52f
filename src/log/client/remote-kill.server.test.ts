// A log server is killed with SIGKILL again and again while several clients append and read through it
// and never learn of it: no acknowledged record is lost, none is doubled, readers see each once and in
// order. Short here; SWARMKEEP_KILLS makes it long.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { utf8 } from '#base/bytes.ts';
import { SystemClock, sleep } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import { SystemRandom } from '#base/random.ts';
import { type ByteStream, parsePlace } from '#net/byte-stream.ts';
import { dialNode } from '#net/stream-node.ts';
import { RemoteLog } from './remote-log.ts';

const PROGRAM = fileURLToPath(new URL('../../../sim/log-server-process.ts', import.meta.url));
const KILLS = Number(process.env['SWARMKEEP_KILLS'] ?? 4);
const WRITERS = 4;
const READERS = 2;
const clock = new SystemClock();

interface Running {
  readonly child: ChildProcess;
  readonly url: string;
}

async function start(folder: string, url: string): Promise<Running> {
  const child = spawn(process.execPath, ['-C', 'swarmkeep-src', PROGRAM, folder, url], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  for await (const part of child.stdout) {
    text += String(part);
    const ready = /ready (\S+)\n/.exec(text)?.[1];
    if (ready !== undefined) return { child, url: ready };
  }
  throw new Error('the server did not start');
}

for (const kind of ['unix', 'tcp'] as const) {
  it(`a server killed ${KILLS} times over ${kind} loses and doubles no acknowledged record`, async () => {
    const folder = mkdtempSync(`${tmpdir()}/sk-kill-`);
    let nth = 0;
    // A new socket file each time, as the old one stays behind a kill.
    const place = (): string =>
      kind === 'unix' ? `unix:${folder}/${nth++}.sock` : 'tcp://127.0.0.1:0';
    let server = await start(`${folder}/log`, place());
    const clients: RemoteLog[] = [];
    const connect = async (): Promise<RemoteLog> => {
      const log = await RemoteLog.connect({
        clock,
        random: new SystemRandom(),
        logger: silentLogger,
        backoffMsMin: 5,
        backoffMsMax: 50,
        // However long a busy machine takes to start the next server.
        giveUpMs: 120_000,
        requestMs: 120_000,
        dial: (signal): Promise<ByteStream> => {
          const found = parsePlace(server.url);
          return found === undefined ? Promise.reject(new Error('none')) : dialNode(found, signal);
        },
      });
      clients.push(log);
      return log;
    };
    const stop = new AbortController();
    const answered = new Map<number, string>();
    const write = async (writer: number): Promise<number> => {
      const log = await connect();
      let number = 0;
      while (!stop.signal.aborted) {
        const value = `${writer} ${number}`;
        const { firstOffset } = await log.append('events', [{ value: utf8(value) }]);
        assert.ok(!answered.has(firstOffset), 'an offset is answered once');
        answered.set(firstOffset, value);
        number++;
      }
      return number;
    };
    const readAll = async (until: Promise<number>): Promise<string[]> => {
      const log = await connect();
      const found: string[] = [];
      let end = Number.POSITIVE_INFINITY;
      void until.then((value) => {
        end = value;
      });
      for (let from = 0; from < end; ) {
        const result = await log.read('events', { from, waitMs: 100 });
        assert.deepEqual(result.gaps, []);
        for (const { offset, value } of result.records) {
          assert.equal(offset, found.length);
          found.push(new TextDecoder().decode(value));
        }
        from = result.nextOffset;
      }
      return found;
    };
    try {
      const writing = Array.from({ length: WRITERS }, (_, writer) => write(writer));
      const { promise: until, resolve: finish } = Promise.withResolvers<number>();
      const reading = Array.from({ length: READERS }, () => readAll(until));
      // Who gave up has failed the test: nobody is killed for it any more.
      Promise.all(writing).catch(() => stop.abort());
      for (let kill = 0; kill < KILLS; kill++) {
        // In the middle of work, however slow the machine is.
        const before = answered.size;
        while (answered.size < before + 4 * WRITERS && !stop.signal.aborted) await sleep(clock, 5);
        await sleep(clock, 40 * (kill % 4));
        server.child.kill('SIGKILL');
        server = await start(`${folder}/log`, place());
      }
      await sleep(clock, 100);
      stop.abort();
      const numbers = await Promise.all(writing);
      const total = numbers.reduce((sum, number) => sum + number, 0);
      finish(total);
      for (const found of await Promise.all(reading)) {
        assert.equal(found.length, total, 'each record once');
        for (const [offset, value] of answered) assert.equal(found[offset], value);
        for (let writer = 0; writer < WRITERS; writer++) {
          const own = found.filter((value) => value.startsWith(`${writer} `));
          own.forEach((value, number) => {
            assert.equal(value, `${writer} ${number}`);
          });
        }
      }
      assert.ok(total > WRITERS * KILLS, `the writers wrote: ${total}`);
    } finally {
      stop.abort();
      for (const client of clients) client.destroy();
      server.child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    }
  });
}
