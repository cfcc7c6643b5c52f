// The archive's web seed on the site's port: from Node's request to the archive's answer, part by part,
// the next one when the client has taken the last. It never passes through the site's pages.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { SeedAnswer, WebSeed } from '#archive/web-seed/web-seed.ts';

/** Never rejects. */
export async function answerSeedRequest(
  seed: WebSeed,
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
    signal: gone.signal,
  });
  try {
    await send(answer, { isHead: request.method === 'HEAD', response, signal: gone.signal });
  } catch {
    // The head is out: only the end of the connection can tell the client that this is not all.
    response.destroy();
  }
}

interface Sending {
  readonly isHead: boolean;
  readonly response: ServerResponse;
  readonly signal: AbortSignal;
}

async function send(answer: SeedAnswer, sending: Sending): Promise<void> {
  const { isHead, response, signal } = sending;
  response.writeHead(answer.status, answer.headers);
  // A body is always begun and always ended, so that it gives back what it holds.
  for await (const part of answer.body ?? []) {
    if (signal.aborted) return;
    if (isHead || response.write(part)) continue;
    await drained(response, signal);
  }
  response.end();
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
