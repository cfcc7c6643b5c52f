// How the store answers by HTTP: refusals with their code, lists in JSON, blobs as a stream.

import { codeOf, messageOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';

/** Status of each code that a caller can do something about. */
const STATUS: Readonly<Record<string, number>> = {
  STORE_DENIED: 403,
  STORE_NEEDED: 409,
  STORE_BLOB_MISSING: 404,
  STORE_UPLOAD_MISSING: 404,
  STORE_BLOB_TOO_LARGE: 413,
  STORE_UPLOAD_TOO_LARGE: 413,
  STORE_WRONG_HASH: 422,
  STORE_PROTOCOL: 400,
  STORE_TOKEN_INVALID: 400,
  STORE_RANGE_INVALID: 416,
  STORE_UPLOAD_OFFSET: 409,
  STORE_UPLOADS_FULL: 429,
  // Of the checksum extension of tus.
  STORE_UPLOAD_CHECKSUM: 460,
  STORE_TIMED_OUT: 408,
  STORE_CANCELLED: 409,
  STORE_BUSY: 503,
  STORE_CLOSED: 503,
};

export function jsonAnswer(value: unknown, status = 200): Response {
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };
  return new Response(`${JSON.stringify(value)}\n`, { status, headers });
}

export function refusal(code: string, message: string): Response {
  const response = jsonAnswer({ error: { code, message } }, STATUS[code] ?? 500);
  if (response.status === 503) response.headers.set('retry-after', '1');
  return response;
}

/** What was thrown, as an answer; what the operator must know is logged. */
export function failureAnswer(error: unknown, logger: Logger): Response {
  const code = codeOf(error) ?? '';
  if (code in STATUS) return refusal(code, messageOf(error));
  logger.error('A request to the store failed', { error: messageOf(error) });
  return refusal(code.startsWith('STORE_') ? code : 'STORE_FAILED', 'The server failed');
}

/** The bytes of a request as they come; nothing for none. */
export async function* bodyOf(request: Request): AsyncGenerator<Uint8Array> {
  if (request.body === null) return;
  const reader = request.body.getReader();
  let isDone = false;
  try {
    for (;;) {
      const next = await reader.read();
      isDone = next.done;
      if (next.done) return;
      yield next.value;
    }
  } finally {
    if (!isDone) reader.cancel().catch(() => undefined);
  }
}
