// How HTTP answers for bytes that never change: all of them, one range, or that the client has them. Pure.
// Source: RFC 9110, sections 13 and 14.

import { type ByteRange, parseRange } from './seed-request.ts';

export interface RangeRequest {
  readonly isHead: boolean;
  readonly range?: string | undefined;
  readonly ifRange?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
  readonly ifMatch?: string | undefined;
}

export interface RangeAnswer {
  readonly status: 200 | 206 | 304 | 412 | 416;
  /** Those that were given, the strong ETag, and what follows of the range. */
  readonly headers: Readonly<Record<string, string>>;
  /** What to send; absent when the head is all. */
  readonly span?: ByteRange;
}

export function rangeAnswer(
  request: RangeRequest,
  content: { readonly bytes: number; readonly etag: string },
  others: Readonly<Record<string, string>>,
): RangeAnswer {
  const { bytes, etag } = content;
  const headers = { ...others, 'accept-ranges': 'bytes', etag };
  if (request.ifMatch !== undefined && !isMeant(request.ifMatch, etag)) {
    return { status: 412, headers: { ...headers, 'content-length': '0' } };
  }
  if (isKnown(request.ifNoneMatch, etag)) return { status: 304, headers };
  const isStale = request.ifRange !== undefined && request.ifRange !== etag;
  const range = isStale ? 'whole' : parseRange(request.range, bytes);
  if (range === 'unsatisfiable') {
    const length = { 'content-range': `bytes */${bytes}`, 'content-length': '0' };
    return { status: 416, headers: { ...headers, ...length } };
  }
  const span = range === 'whole' ? { start: 0, end: bytes } : range;
  const part =
    range === 'whole' ? {} : { 'content-range': `bytes ${span.start}-${span.end - 1}/${bytes}` };
  const length = { 'content-length': String(span.end - span.start) };
  return {
    status: range === 'whole' ? 200 : 206,
    headers: { ...headers, ...length, ...part },
    ...(request.isHead || span.start === span.end ? {} : { span }),
  };
}

/** Weak tags do not count: whoever goes on with what they have must have the same bytes. */
function isMeant(ifMatch: string, etag: string): boolean {
  const tags = ifMatch.split(',').map((tag) => tag.trim());
  return tags.includes('*') || tags.includes(etag);
}

/** Weak tags count as well: whoever packed an answer on its way made the tag weak. */
function isKnown(ifNoneMatch: string | undefined, etag: string): boolean {
  const tags = ifNoneMatch?.split(',').map((tag) => tag.trim().replace(/^W\//, '')) ?? [];
  return tags.includes('*') || tags.includes(etag);
}
