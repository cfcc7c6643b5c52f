// WebDAV on the site's port: from Node's request to the archive's answer, part by part, the next one when
// the client has taken the last. It never passes through the site's pages.

import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { DownloadAnswer } from '#archive/downloads/downloads.ts';
import { DAV_BODY_BYTES_MAX, type WebDav } from '#archive/webdav/webdav.ts';

/** Never rejects. */
export async function answerDavRequest(
  dav: Pick<WebDav, 'answer'>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const answer = await dav.answer({
    method: request.method ?? 'GET',
    target: request.url ?? '/',
    header: (name) => oneOf(request.headers[name]),
    body: () => bodyOf(request),
  });
  const end = (): void => {
    response.destroy();
  };
  answer.ended?.addEventListener('abort', end, { once: true });
  try {
    await send(answer, request.method === 'HEAD', response);
  } catch {
    // The head is out: only the end of the connection can tell the client that this is not all.
    end();
  }
}

async function send(
  { status, headers, body }: DownloadAnswer,
  isHead: boolean,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  response.writeHead(status, headers);
  // A body is always begun and always ended, so that it gives back what it holds.
  for await (const part of body ?? []) {
    if (response.destroyed || isHead) break;
    if (!response.write(part)) await drained(response, gone.signal);
  }
  if (!response.destroyed) response.end();
}

async function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  await once(response, 'drain', { signal }).catch(() => undefined);
}

/** Undefined when it is too long, or breaks off. */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of request as AsyncIterable<Buffer>) {
      bytes += part.length;
      if (bytes > DAV_BODY_BYTES_MAX) return undefined;
      parts.push(part);
    }
  } catch {
    return undefined;
  }
  return Buffer.concat(parts).toString('utf8');
}

function oneOf(header: string | readonly string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : header?.[0];
}
