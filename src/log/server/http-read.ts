// `GET …?from=`: a topic for tools that know only HTTP, as JSON lines (default) or as server-sent
// events (`Accept: text/event-stream`). A value that is UTF-8 stands as text, any other in base64.
//
//   from      an offset, `beginning` (default), `end`, or `@` and Unix milliseconds
//   limit     ends after so many records
//   follow    `1` waits at the end for more; server-sent events always do
//
// An event's id is the offset after it, so that a browser that lost the connection goes on where it
// was, by its Last-Event-ID.

import { codeOf, messageOf } from '#base/errors.ts';
import { LogError } from '#log/errors.ts';
import type { Log, ReadFrom, ReadRecord, ReadResult } from '#log/log.ts';
import { parseCount, parseFrom } from './protocol.ts';

const RECORDS_MAX = 1000;
const BYTES_MAX = 256 * 1024;
/** A comment keeps proxies from closing a stream in which nothing happens. */
const WAIT_MS = 15_000;

export interface HttpReadRequest {
  readonly log: Log;
  readonly topic: string;
  readonly query: URLSearchParams;
  readonly accept: string | null;
  readonly lastEventId: string | null;
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
  /** Asked before each page is told; false ends the answer, and the page is not told. */
  readonly mayStay?: () => Promise<boolean>;
}

/** Never rejects: an error before the first record is a status, after it the stream's last line. */
export async function answerHttpRead(request: HttpReadRequest): Promise<Response> {
  const { query, accept, lastEventId } = request;
  const isEvents = accept?.includes('text/event-stream') === true;
  const resumed = isEvents ? parseCount(lastEventId ?? undefined) : undefined;
  const from = resumed ?? parseFrom(query.get('from') ?? 'beginning');
  const limit = query.has('limit') ? parseCount(query.get('limit') ?? '') : Infinity;
  if (from === undefined || limit === undefined) {
    return refusal(400, 'LOG_PROTOCOL', 'Cannot read: `from` or `limit` is not understood');
  }
  const follow = isEvents || query.get('follow') === '1';
  const pages = pagesOf(request, { from, limit, follow });
  try {
    const first = await pages.next();
    const body = stream(first.done === true ? undefined : first.value, pages, isEvents);
    const type = isEvents ? 'text/event-stream' : 'application/jsonl; charset=utf-8';
    const headers = {
      'content-type': type,
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    };
    return new Response(body, { headers });
  } catch (error) {
    const code = codeOf(error) ?? 'LOG_SERVER_FAILED';
    return refusal(STATUS[code] ?? 503, code, messageOf(error), offsetOf(error));
  }
}

const STATUS: Readonly<Record<string, number>> = {
  LOG_TOPIC_UNKNOWN: 404,
  LOG_TOPIC_NAME_INVALID: 404,
  LOG_OFFSET_REMOVED: 410,
  LOG_OFFSET_BEYOND_END: 416,
};

function offsetOf(error: unknown): number | undefined {
  return error instanceof LogError ? error.offset : undefined;
}

function refusal(status: number, code: string, message: string, offset?: number): Response {
  const error = { code, message, ...(offset === undefined ? undefined : { offset }) };
  return Response.json({ error }, { status, headers: { 'cache-control': 'no-store' } });
}

/** One answer of the log after the other; empty ones while it follows and nothing comes. */
async function* pagesOf(
  request: HttpReadRequest,
  ask: { readonly from: ReadFrom; readonly limit: number; readonly follow: boolean },
): AsyncGenerator<ReadResult, void, undefined> {
  const { log, topic, signal } = request;
  let { from } = ask;
  let left = ask.limit;
  // The first look does not wait: its failure must become the answer's status at once.
  for (let waitMs = 0; left > 0; waitMs = ask.follow ? WAIT_MS : 0) {
    const recordsMax = Math.min(RECORDS_MAX, left);
    const result = await log.read(topic, { from, recordsMax, bytesMax: BYTES_MAX, waitMs, signal });
    const isEmpty = result.records.length === 0 && result.gaps.length === 0;
    if (isEmpty && !ask.follow) return;
    if ((await request.mayStay?.()) === false) return;
    left -= result.records.length;
    from = result.nextOffset;
    yield result;
  }
}

function stream(
  first: ReadResult | undefined,
  pages: AsyncGenerator<ReadResult, void, undefined>,
  isEvents: boolean,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let next = first;
  // Pulled only when the client has taken what came before: a slow one holds one page.
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const page = next ?? (await pages.next()).value ?? undefined;
          next = undefined;
          if (page === undefined) {
            controller.close();
            return;
          }
          controller.enqueue(encoder.encode(isEvents ? eventsOf(page) : linesOf(page)));
        } catch (error) {
          const text = JSON.stringify({
            error: { code: codeOf(error) ?? 'LOG_SERVER_FAILED', message: messageOf(error) },
          });
          controller.enqueue(
            encoder.encode(isEvents ? `event: error\ndata: ${text}\n\n` : `${text}\n`),
          );
          controller.close();
        }
      },
      async cancel() {
        await pages.return();
      },
    },
    { highWaterMark: 0 },
  );
}

function linesOf(page: ReadResult): string {
  let text = '';
  for (const gap of page.gaps) text += `${JSON.stringify({ gap })}\n`;
  for (const record of page.records) text += `${JSON.stringify(plain(record))}\n`;
  return text;
}

function eventsOf(page: ReadResult): string {
  if (page.records.length === 0 && page.gaps.length === 0) return ': nothing new\n\n';
  let text = '';
  for (const gap of page.gaps)
    text += `event: gap\nid: ${gap.next}\ndata: ${JSON.stringify(gap)}\n\n`;
  for (const record of page.records) {
    text += `id: ${record.offset + 1}\ndata: ${JSON.stringify(plain(record))}\n\n`;
  }
  return text;
}

function plain(record: ReadRecord): unknown {
  const { offset, timeMs, key, value, tombstone } = record;
  return {
    offset,
    timeMs,
    ...(key === undefined ? undefined : textOrBytes('key', key)),
    ...(tombstone === true ? { tombstone } : textOrBytes('value', value)),
  };
}

function textOrBytes(name: string, bytes: Uint8Array): Readonly<Record<string, string>> {
  try {
    return { [name]: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    // Not text.
    return { [`${name}Base64`]: Buffer.from(bytes).toString('base64') };
  }
}
