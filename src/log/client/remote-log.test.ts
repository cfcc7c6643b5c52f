// The same suite over every kind of stream, against a server of its own.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { silentLogger } from '#base/logger.ts';
import { SystemRandom } from '#base/random.ts';
import { findOrBuildAddon } from '#cli/addon-build.ts';
import { type LogConfig, logConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import { describeLog, type LogUnderTest } from '#log/log.conformance.ts';
import { LogServer } from '#log/server/server.ts';
import { Registry } from '#metrics/registry.ts';
import type { ByteStream } from '#net/byte-stream.ts';
import { parsePlace } from '#net/byte-stream.ts';
import { dialStreams, listenStreams } from '#net/sockets.ts';
import { loopbackPair } from '#net/stream-loopback.ts';
import { dialNode } from '#net/stream-node.ts';
import { RemoteLog } from './remote-log.ts';

type Kind = 'loopback' | 'unix' | 'tcp' | 'unix, batched' | 'tcp, batched';
const addon = findOrBuildAddon();
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
  const isTcp = kind.startsWith('tcp');
  const secret = isTcp ? { secret: SECRET } : {};
  const server = new LogServer({ ...world, log: local, ...secret });
  let dial: (signal: AbortSignal) => Promise<ByteStream>;
  if (kind === 'loopback') {
    dial = async () => {
      const [near, far] = loopbackPair();
      server.accept(far);
      return near;
    };
  } else {
    const place = isTcp
      ? ({ kind: 'tcp', host: '127.0.0.1', port: 0 } as const)
      : ({ kind: 'unix', path: `${folder}/log.sock` } as const);
    const choice = kind.endsWith('batched') ? 'auto' : 'node';
    const listener = await server.listen(listenStreams({ ...world, addon }, choice), place);
    const dialled = parsePlace(listener.url);
    if (dialled === undefined) throw new Error(`no place: ${listener.url}`);
    const dialStream = choice === 'auto' ? dialStreams({ ...world, addon }) : dialNode;
    dial = (signal) => dialStream(dialled, signal);
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

const batched = 'why' in addon ? [] : (['unix, batched', 'tcp, batched'] as const);
for (const kind of ['loopback', 'unix', 'tcp', ...batched] as const) {
  for (const consistency of ['durable', 'interval'] as const) {
    describeLog({
      name: `RemoteLog over ${kind}, "${consistency}"`,
      consistency,
      open: async (config) => open(kind, await mkdtemp(join(tmpdir(), 'sk-log-')), config),
    });
  }
}
