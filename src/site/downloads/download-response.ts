// An answer of the archive's downloads as a page's response: read as the browser takes it, and broken off
// when the right to it ends.

import type { DownloadAnswer } from '#archive/downloads/downloads.ts';
import type { RangeRequest } from '#archive/web-seed/range-answer.ts';
import { fileHeaders, type Visit } from '#site/visit.ts';

export function downloadRequest(visit: Visit): RangeRequest {
  const header = (name: string): string | undefined => visit.header(name) || undefined;
  return {
    isHead: visit.request.method === 'HEAD',
    range: header('range'),
    ifRange: header('if-range'),
    ifNoneMatch: header('if-none-match'),
    ifMatch: header('if-match'),
  };
}

/**
 * `name` is what the browser saves it as; `gone` is the request's signal. The answer gives back what it holds
 * when its client goes, also before a byte of it was asked for: nobody cancels the stream then.
 */
export function downloadResponse(
  answer: DownloadAnswer,
  file: { readonly name: string; readonly type: string },
  gone: AbortSignal,
): Response {
  const { status, body } = answer;
  const isGiven = status === 200 || status === 206;
  if (answer.words !== undefined) {
    const headers = { ...answer.headers, 'content-type': 'text/plain; charset=utf-8' };
    return new Response(`${answer.words}\n`, { status, headers });
  }
  const headers = { ...answer.headers, ...(isGiven ? fileHeaders(file) : {}) };
  return new Response(body === undefined ? null : streamOf(body, answer.ended, gone), {
    status,
    headers,
  });
}

function streamOf(
  body: AsyncIterableIterator<Uint8Array>,
  ended: AbortSignal | undefined,
  gone: AbortSignal,
): ReadableStream<Uint8Array> {
  const close = async (): Promise<void> => {
    await body.return?.();
  };
  if (gone.aborted) void close();
  else gone.addEventListener('abort', () => void close(), { once: true });
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const end = (): void => {
          controller.error(ended?.reason);
          void close();
        };
        ended?.addEventListener('abort', end, { once: true });
      },
      async pull(controller) {
        const part = await body.next();
        if (part.done === true) controller.close();
        else controller.enqueue(part.value);
      },
      cancel: close,
    },
    { highWaterMark: 0 },
  );
}
