// The same suite over every kind of stream, against a server of its own.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { silentLogger } from '#base/logger.ts';
import { SystemRandom } from '#base/random.ts';
import { type LogConfig, logConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import { describeLog, type LogUnderTest } from '#log/log.conformance.ts';
import { LogServer } from '#log/server/server.ts';
import { Registry } from '#metrics/registry.ts';
import type { ByteStream } from '#net/byte-stream.ts';
import { parsePlace } from '#net/byte-stream.ts';
import { loopbackPair } from '#net/stream-loopback.ts';
import { dialNode, listenNode } from '#net/stream-node.ts';
import { RemoteLog } from './remote-log.ts';

type Kind = 'loopback' | 'unix' | 'tcp';
const SECRET = new TextEncoder().encode('a secret of the test');

async function open(
  kind: Kind,
  folder: string,
  overrides: Partial<LogConfig>,
): Promise<LogUnderTest> {
  const config = logConfig.parse({ intervalMs: 1, ...overrides });
  const world = {
    clock: new SystemClock(),
    random: new SystemRandom(),
    logger: silentLogger,
    metrics: new Registry(),
    config,
  };
  const local = await LocalLog.open({ ...world, disk: new SystemDisk(), folder: `${folder}/log` });
  const secret = kind === 'tcp' ? { secret: SECRET } : {};
  const server = new LogServer({ ...world, log: local, ...secret });
  let dial: (signal: AbortSignal) => Promise<ByteStream>;
  if (kind === 'loopback') {
    dial = async () => {
      const [near, far] = loopbackPair();
      server.accept(far);
      return near;
    };
  } else {
    const place =
      kind === 'unix'
        ? ({ kind: 'unix', path: `${folder}/log.sock` } as const)
        : ({ kind: 'tcp', host: '127.0.0.1', port: 0 } as const);
    const listener = await server.listen(listenNode, place);
    const dialled = parsePlace(listener.url);
    if (dialled === undefined) throw new Error(`no place: ${listener.url}`);
    dial = (signal) => dialNode(dialled, signal);
  }
  const log = await RemoteLog.connect({ ...world, ...secret, dial });
  const end = async (): Promise<void> => {
    await log.close();
    await server.close();
    await local.close();
  };
  return {
    log,
    settle: (promise) => promise,
    reopen: async () => {
      await end();
      return open(kind, folder, overrides);
    },
    dispose: async () => {
      await end();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

for (const kind of ['loopback', 'unix', 'tcp'] as const) {
  for (const consistency of ['durable', 'interval'] as const) {
    describeLog({
      name: `RemoteLog over ${kind}, "${consistency}"`,
      consistency,
      open: async (config) => open(kind, await mkdtemp(join(tmpdir(), 'sk-log-')), config),
    });
  }
}
