// A server that answers appends from disk, as the log's benchmark sees every one of them: connections
// that each take appends and tell of each when it is on disk, and a process whose CPU time and bytes
// written are counted by the kernel.

import { type ChildProcess, fork, spawn } from 'node:child_process';
import { SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import { findOrBuildAddon } from '#cli/addon-build.ts';
import { connectLog } from '#log/client/connect.ts';
import { Registry } from '#metrics/registry.ts';
import { dialStreams } from '#net/sockets.ts';

export interface LogContender {
  readonly name: string;
  readonly pid: number;
  /** Makes a connection of its own. */
  connect(): Promise<LogConnection>;
  /** Syncs since its start, where it counts them. */
  syncs?(): Promise<number>;
  close(): Promise<void>;
}

export interface LogConnection {
  /** Resolves when the record is on disk. May be called while others are on their way. */
  append(value: Uint8Array): Promise<unknown>;
  close(): Promise<void>;
}

const TOPIC = 'bench';
const sockets = { clock: new SystemClock(), logger: silentLogger, metrics: new Registry() };
const dial = dialStreams({ ...sockets, addon: findOrBuildAddon() });
const SERVER = new URL('../load/log-server-process.ts', import.meta.url);

/** Our log server in a process of its own, by the client library. */
export async function startOurs(folder: string): Promise<LogContender & { readonly url: string }> {
  const path = `${folder}/log.sock`;
  const child = fork(SERVER, [`${folder}/log`, path], { execArgv: ['-C', 'swarmkeep-src'] });
  await nextMessage(child);
  const url = `unix:${path}`;
  const first = await connectLog({ url });
  await first.log.createTopic(TOPIC, { consistency: 'durable' });
  await first.close();
  return {
    name: 'Swarmkeep',
    url,
    pid: child.pid ?? 0,
    connect: async () => {
      const client = await connectLog({ url, dial });
      return {
        append: (value) => client.log.append(TOPIC, [{ value }]),
        close: () => client.close(),
      };
    },
    syncs: async () => {
      child.send('syncs');
      return Number(await nextMessage(child));
    },
    close: () => ended(child),
  };
}

/** Started without its output; ended by `ended`. */
export function startServer(program: string, words: readonly string[]): ChildProcess {
  return spawn(program, words, { stdio: 'ignore' });
}

export function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}

function nextMessage(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const gone = (): void => reject(new Error('The log server ended'));
    child.once('exit', gone);
    child.once('message', (message) => {
      child.off('exit', gone);
      resolve(message);
    });
  });
}
