// The archive's web seed on the site's port: from Node's request to the archive's answer, part by part,
// the next one when the client has taken the last. It never passes through the site's pages. A part that
// lies in a pack goes from there to the socket by sendfile (docs/decisions/0018), where the addon is and
// the connection is not TLS; any other through memory.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { LentPart } from '#archive/content/lent-range.ts';
import type { SeedAnswer, WebSeed } from '#archive/web-seed/web-seed.ts';
import type { FileSender } from '#net/file-sender.ts';
import { descriptorOf } from '#net/socket-descriptor.ts';

export interface SeedDoor {
  readonly seed: Pick<WebSeed, 'answer'>;
  /** Undefined: everything goes through memory. */
  readonly sender: FileSender | undefined;
}

/** Never rejects. */
export async function answerSeedRequest(
  { seed, sender }: SeedDoor,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const answer = await seed.answer({
    method: request.method ?? 'GET',
    target: request.url ?? '/',
    range: request.headers.range,
    ifRange: oneOf(request.headers['if-range']),
    ifNoneMatch: request.headers['if-none-match'],
    ifMatch: request.headers['if-match'],
    signal: gone.signal,
    lends: sender !== undefined && descriptorOf(request.socket) !== undefined,
  });
  answer.ended?.addEventListener('abort', () => response.destroy(), { once: true });
  try {
    const isHead = request.method === 'HEAD';
    await send(answer, { isHead, response, signal: gone.signal, sender });
  } catch {
    // The head is out: only the end of the connection can tell the client that this is not all.
    response.destroy();
  }
}

interface Sending {
  readonly isHead: boolean;
  readonly response: ServerResponse;
  readonly signal: AbortSignal;
  readonly sender: FileSender | undefined;
}

async function send(answer: SeedAnswer, sending: Sending): Promise<void> {
  const { isHead, response, signal } = sending;
  response.writeHead(answer.status, answer.headers);
  // A body is always begun and always ended, so that it gives back what it holds.
  for await (const part of answer.body ?? []) {
    if (signal.aborted) return;
    if (isHead) continue;
    if (part instanceof LentPart) await sendLent(part, sending);
    else if (!response.write(part)) await drained(response, signal);
  }
  response.end();
}

/** @throws what the socket or the disk says */
async function sendLent(part: LentPart, { response, signal, sender }: Sending): Promise<void> {
  response.flushHeaders();
  const socket = response.socket ?? (await ownTurn(response, signal));
  if (socket !== null) await flushed(socket);
  const descriptor = socket === null || signal.aborted ? undefined : descriptorOf(socket);
  if (sender === undefined || descriptor === undefined) throw new Error('The client has gone');
  const sent = await sender.send(descriptor, part.places, signal);
  part.sentBytes = sent.bytes;
  if (sent.error !== undefined) throw sent.error;
}

/** A client may ask for more before it has the last answer: this one's turn comes with the socket. */
function ownTurn(response: ServerResponse, signal: AbortSignal): Promise<Socket | null> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('socket', done);
      signal.removeEventListener('abort', done);
      // What was written while it waited is flushed right behind this event.
      setImmediate(() => resolve(response.socket));
    };
    response.once('socket', done);
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}

/** Resolves when all that was written is the kernel's, or never will be. */
function flushed(socket: Socket): Promise<void> | undefined {
  if (socket.writableLength === 0 && socket.writableCorked === 0) return undefined;
  return new Promise((resolve) => socket.write('', () => resolve()));
}

function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    response.once('drain', done);
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}

function oneOf(header: string | readonly string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : header?.[0];
}
