// Redis as a log: XADD to one stream with `appendfsync always`, over its UNIX socket. Its client here
// is as little as one can write in Node: one command built beforehand, what is appended in one turn
// sent in one write, and for each line pair that comes back the oldest promise resolved. It does less
// than our client: no batches, no checksums, no repetition after a lost connection.

import { spawnSync } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { ended, type LogConnection, type LogContender, startServer } from './log-contender.ts';

const LINE_FEED = 10;

/** Or why not. */
export async function startRedis(folder: string): Promise<LogContender | string> {
  const version = spawnSync('redis-server', ['--version'], { encoding: 'utf8' });
  if (version.error !== undefined) return 'Redis is not installed';
  const path = redisSocket(folder);
  const words = `--port 0 --unixsocket ${path} --dir ${folder} --appendonly yes --appendfsync always --save`;
  const child = startServer('redis-server', [...words.split(' '), '']);
  let isThere = false;
  for (let nth = 0; nth < 250 && !isThere; nth++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    isThere = await listens(path);
  }
  if (!isThere) {
    await ended(child);
    return 'Redis did not start';
  }
  return {
    name: `Redis ${/v=(\S+)/.exec(version.stdout)?.[1] ?? ''} XADD, appendfsync always`,
    pid: child.pid ?? 0,
    connect: async () => new RedisConnection(path),
    close: () => ended(child),
  };
}

export function redisSocket(folder: string): string {
  return `${folder}/redis.sock`;
}

/** The socket's file is there a little before its owner listens. */
function listens(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

class RedisConnection implements LogConnection {
  readonly #socket: Socket;
  #command: Buffer | undefined;
  #unsent = 0;
  #waiting: (() => void)[] = [];
  #answered = 0;
  #isHalf = false;

  constructor(path: string) {
    this.#socket = connect(path);
    this.#socket.on('data', (part) => this.#take(part));
  }

  append(value: Uint8Array): Promise<void> {
    this.#command ??= commandOf(value);
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#unsent++ === 0) queueMicrotask(() => this.#send());
    });
  }

  async close(): Promise<void> {
    this.#socket.destroy();
  }

  #send(): void {
    const command = this.#command;
    if (command === undefined) return;
    const bytes = Buffer.allocUnsafe(command.byteLength * this.#unsent);
    for (let at = 0; at < bytes.byteLength; at += command.byteLength) command.copy(bytes, at);
    this.#unsent = 0;
    this.#socket.write(bytes);
  }

  /** An answer is two lines: a length, and the entry's id. */
  #take(part: Buffer): void {
    for (let at = part.indexOf(LINE_FEED); at >= 0; at = part.indexOf(LINE_FEED, at + 1)) {
      if (this.#isHalf) this.#waiting[this.#answered++]?.();
      this.#isHalf = !this.#isHalf;
    }
    if (this.#answered === this.#waiting.length) {
      this.#waiting = [];
      this.#answered = 0;
    }
  }
}

function commandOf(value: Uint8Array): Buffer {
  const before = `*5\r\n$4\r\nXADD\r\n$1\r\ns\r\n$1\r\n*\r\n$1\r\nv\r\n$${value.byteLength}\r\n`;
  return Buffer.concat([Buffer.from(before), value, Buffer.from('\r\n')]);
}
