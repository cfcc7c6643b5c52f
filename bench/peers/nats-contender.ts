// NATS JetStream as a log: one stream on disk, one replica, `sync_interval: always`, published to by
// NATS's own Node client. The server is found by NATS_SERVER, in PATH, or where tools/setup.ts unpacks
// it.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { natsServerPath } from '#tools/nats-server.ts';
import { ended, type LogContender, startServer } from './log-contender.ts';

const STREAM = 's';
const TIMEOUT_MS = 30_000;
/** The first with `sync_interval: always`. */
const MINOR_MIN = 10;

/** Or why not. */
export async function startNats(folder: string): Promise<LogContender | string> {
  const program = process.env['NATS_SERVER'] ?? natsServerPath();
  const version = spawnSync(program, ['--version'], { encoding: 'utf8' });
  if (version.error !== undefined) {
    return 'NATS is not installed: set NATS_SERVER, or run `node -C swarmkeep-src tools/nats-server.ts`';
  }
  const number = /v(2\.(\d+)\.\d+)/.exec(version.stdout);
  if (Number(number?.[2] ?? 0) < MINOR_MIN) {
    return `NATS is older than 2.${MINOR_MIN}: ${version.stdout.trim()}`;
  }
  mkdirSync(`${folder}/nats`);
  const config = `${folder}/nats.conf`;
  writeFileSync(
    config,
    [
      'host: 127.0.0.1',
      'port: -1',
      `ports_file_dir: "${folder}"`,
      `jetstream { store_dir: "${folder}/nats", sync_interval: always }`,
      '',
    ].join('\n'),
  );
  const child = startServer(program, ['-c', config]);
  const servers = await natsUrl(`${folder}/${natsPortsName(program, child.pid ?? 0)}`);
  if (servers === undefined) {
    await ended(child);
    return 'NATS did not start';
  }
  const first = await connect({ servers });
  const manager = await jetstreamManager(first, { timeout: TIMEOUT_MS });
  await manager.streams.add({ name: STREAM, subjects: [STREAM], storage: 'file', num_replicas: 1 });
  await first.close();
  return {
    name: `NATS JetStream ${number?.[1]} R1, sync_interval always`,
    pid: child.pid ?? 0,
    connect: async () => {
      const connection = await connect({ servers });
      const publisher = jetstream(connection, { timeout: TIMEOUT_MS });
      return {
        append: (value) => publisher.publish(STREAM, value, { timeout: TIMEOUT_MS }),
        close: () => connection.close(),
      };
    },
    close: () => ended(child),
  };
}

function natsPortsName(program: string, pid: number): string {
  return `${program.slice(program.lastIndexOf('/') + 1)}_${pid}.ports`;
}

async function natsUrl(path: string): Promise<string | undefined> {
  for (let nth = 0; nth < 250; nth++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (!existsSync(path)) continue;
    try {
      const found = JSON.parse(readFileSync(path, 'utf8')) as { readonly nats?: readonly string[] };
      if (found.nats?.[0] !== undefined) return found.nats[0];
    } catch {
      // Not written to its end yet.
    }
  }
  return undefined;
}
