// Durable appends over a UNIX socket: 50 connections with 20 appends in flight each, every one a record
// of 100 bytes and answered from disk. Our log server, Redis (XADD, appendfsync always) and NATS
// JetStream (one replica, sync_interval always), each a process of its own on the same disk, in the
// same run, in turn, five rounds, medians. The load is the same program for all: 1,000 callers that
// append again when they are answered, by our client library, by a bare client for Redis
// (peers/redis-contender.ts) and by NATS's own; Redis is loaded by redis-benchmark as well, which is C.
// CPU time of the server and of the load are told apart, as the kernel counts them: on a machine that
// does other things too they say more than records a second.
//
// Then how long a record takes from its append to a reader that waits for it, beside one write and
// fdatasync. Servers that are not there are named and left out. By itself:
//
//   node -C swarmkeep-src bench/log-server.ts      NATS_SERVER=/path/to/nats-server for another NATS

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemDisk } from '#base/disk.ts';
import { connectLog } from '#log/client/connect.ts';
import { type LogConnection, type LogContender, startOurs } from './peers/log-contender.ts';
import { startNats } from './peers/nats-contender.ts';
import { redisSocket, startRedis } from './peers/redis-contender.ts';
import { cpuMicrosOf, endedChildrenMicros, writtenBytesOf } from './server-use.ts';

const CONNECTIONS = 50;
const IN_FLIGHT = 20;
const VALUE_BYTES = 100;
const ROUNDS = 5;
const ROUND_MS = 2000;
const REDIS_BENCHMARK_RECORDS = 200_000;
const WAKES = 500;

interface Load {
  readonly name: string;
  readonly server: LogContender;
  run(): Promise<Loaded>;
  close(): Promise<void>;
}

interface Loaded {
  readonly records: number;
  readonly ms: number;
  /** CPU time of the load, µs. */
  readonly loadMicros: number;
}

interface Round {
  readonly rate: number;
  readonly serverMicros: number;
  readonly loadMicros: number;
  readonly bytes: number;
  readonly recordsPerSync: number;
}

export async function run(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-bench-log-server-'));
  const servers: LogContender[] = [];
  const loads: Load[] = [];
  try {
    const ours = await startOurs(folder);
    servers.push(ours);
    loads.push(await loadOf(ours));
    for (const start of [startRedis, startNats]) {
      const server = await start(folder);
      if (typeof server === 'string') {
        print(`left out: ${server}`, {});
        continue;
      }
      servers.push(server);
      loads.push(await loadOf(server));
      if (start === startRedis) loads.push(redisBenchmark(server, redisSocket(folder)));
    }
    await compare(loads);
    await measureWake(ours.url, folder);
  } finally {
    for (const load of loads) await load.close();
    for (const server of servers) await server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function compare(loads: readonly Load[]): Promise<void> {
  const rounds = new Map<Load, Round[]>(loads.map((load) => [load, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [load, found] of rounds) found.push(await measure(load));
  }
  const depth = `${CONNECTIONS} connections, ${IN_FLIGHT} in flight each`;
  print(`durable appends, ${depth}; load average ${loadavg()[0]?.toFixed(1)}`, {});
  let own: Round | undefined;
  for (const [{ name }, found] of rounds) {
    const middle = medians(found);
    own ??= middle;
    const { rate, serverMicros, loadMicros, bytes, recordsPerSync } = middle;
    print(`  ${name}`, {
      'records/s': rate,
      'µs of CPU a record': serverMicros,
      'µs of the load': loadMicros,
      'bytes to disk a record': bytes,
      ...(recordsPerSync > 0 ? { 'records a sync': recordsPerSync } : undefined),
      ...(own === middle
        ? undefined
        : {
            [`Swarmkeep is times (${name.startsWith('NATS') ? 'aim 20, floor 5' : 'aim 2, floor 1'})`]:
              own.rate / rate,
            'and by CPU of the server': serverMicros / own.serverMicros,
            'of both': (serverMicros + loadMicros) / (own.serverMicros + own.loadMicros),
          }),
    });
  }
}

async function measure(load: Load): Promise<Round> {
  const { server } = load;
  const [cpu, bytes] = [cpuMicrosOf(server.pid), writtenBytesOf(server.pid)];
  const syncs = (await server.syncs?.()) ?? 0;
  const { records, ms, loadMicros } = await load.run();
  const synced = ((await server.syncs?.()) ?? 0) - syncs;
  return {
    rate: records / (ms / 1000),
    serverMicros: (cpuMicrosOf(server.pid) - cpu) / records,
    loadMicros: loadMicros / records,
    bytes: (writtenBytesOf(server.pid) - bytes) / records,
    recordsPerSync: synced === 0 ? 0 : records / synced,
  };
}

async function loadOf(server: LogContender): Promise<Load> {
  const connections: LogConnection[] = [];
  for (let nth = 0; nth < CONNECTIONS; nth++) connections.push(await server.connect());
  const value = new Uint8Array(VALUE_BYTES).fill(120);
  return {
    name: server.name,
    server,
    run: async () => {
      let records = 0;
      const before = process.cpuUsage();
      const sinceMs = performance.now();
      // A look at the clock for each record would be a part of what is measured.
      let isOver = false;
      setTimeout(() => {
        isOver = true;
      }, ROUND_MS);
      const callers = connections.flatMap((connection) =>
        Array.from({ length: IN_FLIGHT }, async () => {
          while (!isOver) {
            await connection.append(value);
            records++;
          }
        }),
      );
      await Promise.all(callers);
      const { user, system } = process.cpuUsage(before);
      return { records, ms: performance.now() - sinceMs, loadMicros: user + system };
    },
    close: async () => {
      for (const connection of connections) await connection.close();
    },
  };
}

/** The rate is what it says itself, without the time that it takes to start. */
function redisBenchmark(server: LogContender, path: string): Load {
  const value = 'x'.repeat(VALUE_BYTES);
  const depth = ['-c', String(CONNECTIONS), '-P', String(IN_FLIGHT)];
  const words = ['-s', path, ...depth, '-n', String(REDIS_BENCHMARK_RECORDS), '-q'];
  return {
    name: `${server.name}, by redis-benchmark`,
    server,
    run: async () => {
      const child = spawn('redis-benchmark', [...words, 'XADD', 's', '*', 'v', value], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      const before = endedChildrenMicros();
      let output = '';
      child.stdout.on('data', (part: Buffer) => {
        output += part.toString('latin1');
      });
      await new Promise((resolve) => child.once('close', resolve));
      const rate = Number(/([0-9.]+) requests per second/.exec(output)?.[1] ?? Number.NaN);
      return {
        records: REDIS_BENCHMARK_RECORDS,
        ms: (REDIS_BENCHMARK_RECORDS / rate) * 1000,
        loadMicros: endedChildrenMicros() - before,
      };
    },
    close: async () => {},
  };
}

/** One record at a time: its append begins, the reader has it. */
async function measureWake(url: string, folder: string): Promise<void> {
  const [writer, reader] = [await connectLog({ url }), await connectLog({ url })];
  await writer.log.createTopic('wake', { consistency: 'durable' });
  const records = [{ value: new Uint8Array(VALUE_BYTES) }];
  const file = await new SystemDisk().create(join(folder, 'raw'));
  await file.write(new Uint8Array(WAKES * 512), 0);
  await file.datasync();
  const [wakesMs, syncsMs]: [number[], number[]] = [[], []];
  let from = 0;
  for (let nth = 0; nth < WAKES; nth++) {
    const waiting = reader.log.read('wake', { from, waitMs: 10_000 });
    await new Promise((resolve) => setTimeout(resolve, 1));
    const sinceMs = performance.now();
    const appended = writer.log.append('wake', records);
    from = (await waiting).nextOffset;
    wakesMs.push(performance.now() - sinceMs);
    await appended;
    const syncSinceMs = performance.now();
    await file.write(new Uint8Array(512).fill(nth), nth * 512);
    await file.datasync();
    syncsMs.push(performance.now() - syncSinceMs);
  }
  await file.close();
  await writer.close();
  await reader.close();
  print('append to blocked reader, UNIX socket', percentiles(wakesMs));
  print('write of a sector and fdatasync alone, in turn with it', percentiles(syncsMs));
}

function medians(rounds: readonly Round[]): Round {
  const of = (pick: (round: Round) => number): number => median(rounds.map(pick));
  return {
    rate: of((round) => round.rate),
    serverMicros: of((round) => round.serverMicros),
    loadMicros: of((round) => round.loadMicros),
    bytes: of((round) => round.bytes),
    recordsPerSync: of((round) => round.recordsPerSync),
  };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function percentiles(timesMs: number[]): Record<string, number> {
  const sorted = timesMs.sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
  return { 'p50 ms': at(0.5), 'p99 ms': at(0.99) };
}

function print(what: string, numbers: Readonly<Record<string, number>>): void {
  const text = Object.entries(numbers).map(([name, value]) => {
    const shown = value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(2);
    return `${name} ${shown}`;
  });
  const tail = text.length === 0 ? '' : `: ${text.join(', ')}`;
  process.stdout.write(`log-server: ${what}${tail}\n`);
}

if (import.meta.main) {
  await run();
  process.exit(0);
}
