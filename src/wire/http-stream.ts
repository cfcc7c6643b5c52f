// HTTP answers whose length nobody knows at their start: the head, and the chunks of RFC 9112 7.1. A
// client of HTTP/1.0 reads no chunks: its answer is the bare bytes, and ends with the connection.

import { assert } from '#base/assert.ts';
import { utf8 } from '#base/bytes.ts';

export interface HttpStreamForm {
  readonly isHttp10: boolean;
  readonly close: boolean;
  readonly gzip: boolean;
}

/** Around each chunk: eight hexadecimal digits and two line ends at most. */
export const CHUNK_FRAME_BYTES = 12;

export const LAST_CHUNK: Uint8Array = utf8('0\r\n\r\n');

/** One of HTTP/1.0 always closes. */
export function httpStreamHead(form: HttpStreamForm): Uint8Array {
  const lines = ['HTTP/1.1 200 OK', 'Content-Type: text/plain'];
  if (form.gzip) lines.push('Content-Encoding: gzip');
  lines.push('Vary: Accept-Encoding');
  if (!form.isHttp10) lines.push('Transfer-Encoding: chunked');
  lines.push(`Connection: ${form.close || form.isHttp10 ? 'close' : 'keep-alive'}`);
  return utf8(`${lines.join('\r\n')}\r\n\r\n`);
}

/** Writes one chunk at `at`; returns the bytes written. An empty one would end the answer. */
export function writeChunk(into: Uint8Array, at: number, bytes: Uint8Array): number {
  assert(bytes.length > 0, 'a chunk is not empty');
  assert(at + bytes.length + CHUNK_FRAME_BYTES <= into.length, 'a chunk has room');
  const size = utf8(`${bytes.length.toString(16)}\r\n`);
  into.set(size, at);
  into.set(bytes, at + size.length);
  const end = at + size.length + bytes.length;
  into[end] = 0x0d;
  into[end + 1] = 0x0a;
  return end + 2 - at;
}
