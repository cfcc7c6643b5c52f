// Durable appends over a UNIX socket, 50 connections with 20 appends in flight each, every one a
// record of 100 bytes and answered from disk: our log server, Redis (XADD, appendfsync always) and
// NATS JetStream (one replica, sync_interval always) in the same run, in turn, five rounds, medians.
// Then how long a record takes from its append to a reader that waits for it, beside one fdatasync.
// Servers that are not there are named and left out. By itself:
//
//   node -C swarmkeep-src bench/log-server.ts      NATS_SERVER=/path/to/nats-server for NATS

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { SystemDisk } from '#base/disk.ts';
import { connectLog, type LogClient } from '#log/connect.ts';

const CONNECTIONS = 50;
const IN_FLIGHT = 20;
const VALUE_BYTES = 100;
const ROUNDS = 5;
const ROUND_MS = 2000;
const NATS_MS = 3000;
const WAKES = 500;

interface Contender {
  readonly name: string;
  /** Records answered from disk in one round, a second. */
  round(): Promise<number>;
  close(): Promise<void>;
}

export async function run(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-bench-log-server-'));
  const contenders: Contender[] = [];
  try {
    const server = await startServer(folder);
    contenders.push(await ours(server.url));
    for (const make of [redis, nats]) {
      const contender = await make(folder);
      if (typeof contender === 'string') print(contender, {});
      else contenders.push(contender);
    }
    await measureRounds(contenders);
    await measureWake(server.url, folder);
    await server.close();
  } finally {
    for (const contender of contenders) await contender.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measureRounds(contenders: readonly Contender[]): Promise<void> {
  const rates = new Map<string, number[]>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const { name, round: measure } of contenders) {
      const found = rates.get(name) ?? [];
      found.push(await measure());
      rates.set(name, found);
    }
  }
  const own = median(rates.get('swarmkeep') ?? []);
  for (const [name, found] of rates) {
    print(`durable appends, ${CONNECTIONS} connections, ${IN_FLIGHT} in flight each: ${name}`, {
      'records/s': median(found),
      ...(name === 'swarmkeep' ? {} : { 'swarmkeep is times': own / median(found) }),
    });
  }
}

async function startServer(
  folder: string,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const path = join(folder, 'log.sock');
  const worker = new Worker(new URL('./load/log-server-thread.ts', import.meta.url), {
    workerData: { folder: join(folder, 'log'), path },
  });
  await new Promise<void>((resolve, reject) => {
    worker.once('message', () => resolve());
    worker.once('error', reject);
  });
  return { url: `unix:${path}`, close: async () => void (await worker.terminate()) };
}

async function ours(url: string): Promise<Contender> {
  const clients: LogClient[] = [];
  for (let nth = 0; nth < CONNECTIONS; nth++) clients.push(await connectLog({ url }));
  const records = [{ value: new Uint8Array(VALUE_BYTES).fill(7) }];
  return {
    name: 'swarmkeep',
    round: async () => {
      let count = 0;
      const sinceMs = performance.now();
      const untilMs = sinceMs + ROUND_MS;
      const callers = clients.flatMap(({ log }) =>
        Array.from({ length: IN_FLIGHT }, async () => {
          while (performance.now() < untilMs) {
            await log.append('bench', records);
            count++;
          }
        }),
      );
      await Promise.all(callers);
      return perSecond(count, sinceMs);
    },
    close: async () => {
      for (const client of clients) await client.close();
    },
  };
}

/** Raw RESP over the same kind of socket: as cheap a client as one can write in Node. */
async function redis(folder: string): Promise<Contender | string> {
  const program = 'redis-server';
  if (spawnSync(program, ['--version']).error !== undefined) return 'Redis is not installed';
  const path = join(folder, 'redis.sock');
  const words = `--port 0 --unixsocket ${path} --dir ${folder} --appendonly yes --appendfsync always --save`;
  const child = spawn(program, [...words.split(' '), ''], { stdio: 'ignore' });
  await waitFor(() => existsSync(path));
  const value = 'x'.repeat(VALUE_BYTES);
  const command = Buffer.from(
    `*5\r\n$4\r\nXADD\r\n$1\r\ns\r\n$1\r\n*\r\n$1\r\nv\r\n$${VALUE_BYTES}\r\n${value}\r\n`,
  );
  const commands = Buffer.concat(Array.from({ length: IN_FLIGHT }, () => command));
  return {
    name: 'Redis XADD, appendfsync always',
    round: async () => {
      const sinceMs = performance.now();
      const counts = await Promise.all(
        Array.from({ length: CONNECTIONS }, () => pipeline(path, commands, sinceMs + ROUND_MS)),
      );
      return perSecond(
        counts.reduce((sum, count) => sum + count, 0),
        sinceMs,
      );
    },
    close: () => ended(child),
  };
}

/** Keeps 20 commands on their way; each answer is a bulk string of two lines. */
function pipeline(path: string, commands: Buffer, untilMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(path);
    let lines = 0;
    let sent = IN_FLIGHT;
    const size = commands.byteLength / IN_FLIGHT;
    socket.on('error', reject);
    socket.on('data', (part) => {
      for (let at = part.indexOf(10); at >= 0; at = part.indexOf(10, at + 1)) lines++;
      const answered = lines >> 1;
      const room = IN_FLIGHT - (sent - answered);
      if (performance.now() < untilMs) {
        sent += room;
        socket.write(commands.subarray(0, room * size));
      } else if (answered === sent) {
        socket.destroy();
        resolve(answered);
      }
    });
    socket.write(commands);
  });
}

async function nats(folder: string): Promise<Contender | string> {
  const program = process.env['NATS_SERVER'] ?? 'nats-server';
  const version = spawnSync(program, ['--version'], { encoding: 'utf8' });
  if (version.error !== undefined) return 'NATS is not installed: set NATS_SERVER';
  const [, minor = '0'] = /v2\.(\d+)/.exec(version.stdout) ?? [];
  if (Number(minor) < 10) return `NATS is older than 2.10: ${version.stdout.trim()}`;
  const modules = await natsClient();
  if (modules === undefined) return 'The Node client of NATS is not installed';
  mkdirSync(join(folder, 'nats'));
  const config = join(folder, 'nats.conf');
  writeFileSync(
    config,
    `host: 127.0.0.1\nport: -1\nports_file_dir: "${folder}"\njetstream { store_dir: "${folder}/nats", sync_interval: always }\n`,
  );
  const child = spawn(program, ['-c', config], { stdio: 'ignore' });
  const ports = join(folder, `nats-server_${child.pid}.ports`);
  await waitFor(() => existsSync(ports));
  const url = await natsUrl(ports);
  const connections: NatsConnection[] = [];
  for (let nth = 0; nth < CONNECTIONS; nth++) {
    connections.push(await modules.transport.connect({ servers: url }));
  }
  const [first] = connections;
  if (first === undefined) return 'NATS cannot be reached';
  const manager = await modules.jetstream.jetstreamManager(first);
  await manager.streams.add({ name: 's', subjects: ['s'], storage: 'file', num_replicas: 1 });
  const value = new Uint8Array(VALUE_BYTES).fill(7);
  return {
    name: `NATS JetStream 2.${minor}, sync_interval always`,
    round: async () => {
      let count = 0;
      const sinceMs = performance.now();
      const untilMs = sinceMs + NATS_MS;
      const callers = connections.flatMap((connection) => {
        const js = modules.jetstream.jetstream(connection, { timeout: 20_000 });
        return Array.from({ length: IN_FLIGHT }, async () => {
          while (performance.now() < untilMs) {
            await js.publish('s', value, { timeout: 20_000 });
            count++;
          }
        });
      });
      await Promise.all(callers);
      return perSecond(count, sinceMs);
    },
    close: async () => {
      for (const connection of connections) await connection.close();
      await ended(child);
    },
  };
}

interface NatsConnection {
  close(): Promise<void>;
}

interface NatsModules {
  readonly transport: { connect(options: { servers: string }): Promise<NatsConnection> };
  readonly jetstream: {
    jetstream(
      connection: NatsConnection,
      options: { timeout: number },
    ): { publish(subject: string, value: Uint8Array, options: object): Promise<unknown> };
    jetstreamManager(
      connection: NatsConnection,
    ): Promise<{ streams: { add(stream: object): Promise<unknown> } }>;
  };
}

async function natsClient(): Promise<NatsModules | undefined> {
  // Names in variables: the packages are wanted only here, and may not be there.
  const names = ['@nats-io/transport-node', '@nats-io/jetstream'];
  try {
    const [transport, jetstream] = await Promise.all(names.map((name) => import(name)));
    return { transport, jetstream } as NatsModules;
  } catch {
    return undefined;
  }
}

async function natsUrl(path: string): Promise<string> {
  const { readFileSync } = await import('node:fs');
  for (;;) {
    try {
      const found = JSON.parse(readFileSync(path, 'utf8')) as { readonly nats?: readonly string[] };
      if (found.nats?.[0] !== undefined) return found.nats[0];
    } catch {
      // Not written to its end yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** One record at a time: its append begins, the reader has it. */
async function measureWake(url: string, folder: string): Promise<void> {
  const [writer, reader] = [await connectLog({ url }), await connectLog({ url })];
  const records = [{ value: new Uint8Array(VALUE_BYTES) }];
  let { nextOffset: from } = await writer.log.stats('bench');
  const wakesMs: number[] = [];
  for (let nth = 0; nth < WAKES; nth++) {
    const waiting = reader.log.read('bench', { from, waitMs: 10_000 });
    await new Promise((resolve) => setTimeout(resolve, 1));
    const sinceMs = performance.now();
    const appended = writer.log.append('bench', records);
    from = (await waiting).nextOffset;
    wakesMs.push(performance.now() - sinceMs);
    await appended;
  }
  await writer.close();
  await reader.close();
  print('append to blocked reader, UNIX socket', percentiles(wakesMs));
  const file = await new SystemDisk().create(join(folder, 'raw'));
  await file.write(new Uint8Array(1024 * 1024), 0);
  await file.datasync();
  const syncsMs: number[] = [];
  for (let nth = 0; nth < WAKES; nth++) {
    const sinceMs = performance.now();
    await file.write(new Uint8Array(512).fill(nth), nth * 512);
    await file.datasync();
    syncsMs.push(performance.now() - sinceMs);
  }
  await file.close();
  print('write of a sector and fdatasync alone', percentiles(syncsMs));
}

async function waitFor(isThere: () => boolean): Promise<void> {
  for (let nth = 0; nth < 250; nth++) {
    if (isThere()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('A server did not start');
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null) resolve();
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}

function perSecond(count: number, sinceMs: number): number {
  return count / ((performance.now() - sinceMs) / 1000);
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
