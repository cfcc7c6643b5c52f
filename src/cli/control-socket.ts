// The running server's UNIX socket, by which every other command reaches it. One request a
// connection: a line of JSON {command, input, by}, answered by lines {item} and {progress}, then one
// {done: true} or {error: {code, message}}. The client ends its side to cancel. The socket's file is
// its owner's alone, which is the authentication.

import { createHash } from 'node:crypto';
import { chmodSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { codeOf, messageOf } from '#base/errors.ts';
import type { Item, Output } from './command.ts';
import { CliError } from './errors.ts';

/** A .torrent of 16 MiB in base64, with room. A longer request is refused. */
const REQUEST_BYTES_MAX = 32 * 1024 * 1024;
const CONNECTIONS_MAX = 64;
/** sun_path holds 108 bytes on Linux, the closing zero included. */
const SOCKET_PATH_BYTES_MAX = 100;

export type ControlHandler = (command: string, input: Item, output: Output) => Promise<void>;

type Answer =
  | { readonly item: Item }
  | { readonly progress: { readonly what: string; readonly done: number; readonly total: number } }
  | { readonly done: true }
  | { readonly error: { readonly code: string; readonly message: string } };

/** `<data>/<name>.sock`, or a name in the temporary folder when that path is too long for one. */
export function socketPathFor(dataPath: string, name: 'control' | 'store' = 'control'): string {
  const path = join(dataPath, `${name}.sock`);
  if (Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX) return path;
  const digest = createHash('sha256').update(dataPath).digest('hex').slice(0, 16);
  const suffix = name === 'control' ? '' : `-${name}`;
  return join(tmpdir(), `swarmkeep-${digest}${suffix}.sock`);
}

export class ControlServer {
  readonly path: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(path: string, handler: ControlHandler) {
    this.path = path;
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      answerOne(socket, handler);
    });
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  static async listen(path: string, handler: ControlHandler): Promise<ControlServer> {
    const control = new ControlServer(path, handler);
    // The data folder's lock is ours, so a socket that is still there belongs to nobody.
    rmSync(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      control.#server.once('error', reject);
      control.#server.listen(path, () => resolve());
    });
    chmodSync(path, 0o600);
    return control;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    rmSync(this.path, { force: true });
  }
}

function answerOne(socket: Socket, handler: ControlHandler): void {
  const cancelled = new AbortController();
  const parts: Buffer[] = [];
  let size = 0;
  let asked = false;
  const answer = (value: Answer): void => {
    if (socket.writable) socket.write(`${JSON.stringify(value)}\n`);
  };
  socket.on('error', () => cancelled.abort());
  socket.on('close', () => cancelled.abort());
  socket.on('end', () => cancelled.abort());
  socket.on('data', (part) => {
    if (asked) return;
    parts.push(part);
    size += part.byteLength;
    if (size > REQUEST_BYTES_MAX) {
      asked = true;
      answer({ error: { code: 'CLI_USAGE', message: `A request of ${size} bytes is too long` } });
      socket.end();
      return;
    }
    if (part.indexOf(10) < 0) return;
    asked = true;
    void runOne(Buffer.concat(parts).toString('utf8'), handler, {
      item: (item) => answer({ item }),
      progress: (progress) => answer({ progress }),
      signal: cancelled.signal,
    }).then((last) => {
      answer(last);
      socket.end();
    });
  });
}

async function runOne(line: string, handler: ControlHandler, output: Output): Promise<Answer> {
  try {
    const request = JSON.parse(line) as { command?: unknown; input?: unknown; by?: unknown };
    if (typeof request.command !== 'string') {
      return { error: { code: 'CLI_USAGE', message: 'The request names no command' } };
    }
    const by = typeof request.by === 'string' ? request.by : '';
    await handler(request.command, (request.input ?? {}) as Item, { ...output, by });
    return { done: true };
  } catch (error) {
    return { error: { code: codeOf(error) ?? 'INTERNAL', message: messageOf(error) } };
  }
}

/** False when nobody listens there. Errors of the command come back as CodedErrors of their code. */
export async function askServer(
  socketPath: string,
  request: { readonly command: string; readonly input: Item; readonly by?: string },
  output: Output,
): Promise<boolean> {
  const socket = await connect(socketPath);
  if (socket === undefined) return false;
  const stop = (): void => {
    socket.end();
  };
  output.signal.addEventListener('abort', stop, { once: true });
  try {
    socket.write(`${JSON.stringify(request)}\n`);
    await readAnswers(socket, output);
    return true;
  } finally {
    output.signal.removeEventListener('abort', stop);
    socket.destroy();
  }
}

function connect(path: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ path, allowHalfOpen: true });
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
    socket.once('error', () => resolve(undefined));
  });
}

async function readAnswers(socket: Socket, output: Output): Promise<void> {
  let rest = '';
  socket.setEncoding('utf8');
  for await (const part of socket as AsyncIterable<string>) {
    rest += part;
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      const answer = JSON.parse(rest.slice(0, end)) as Answer;
      rest = rest.slice(end + 1);
      if ('item' in answer) output.item(answer.item);
      else if ('progress' in answer) output.progress(answer.progress);
      else if ('done' in answer) return;
      else throw remoteError(answer.error);
    }
  }
  if (output.signal.aborted) return;
  throw new CliError('CLI_SERVER_GONE', 'The server closed the connection before its answer');
}

function remoteError(error: { readonly code: string; readonly message: string }): Error {
  return Object.assign(new Error(error.message), { code: error.code });
}
