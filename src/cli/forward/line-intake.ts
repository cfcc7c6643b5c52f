// Lines from standard input and from sockets, collected up to a bound: beyond it the sender waits. A
// line that is longer than allowed comes in pieces.

import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import type { Readable } from 'node:stream';
import { codeOf } from '#base/errors.ts';
import { CliError } from '#cli/errors.ts';
import { parsePlace, placeUrl } from '#net/byte-stream.ts';

const QUEUE_BYTES_MAX = 4 * 1024 * 1024;
const CONNECTIONS_MAX = 256;
/** A sender that says nothing for so long is closed. */
const SILENT_MS_MAX = 300_000;
const LINE_FEED = 10;

export class LineIntake {
  readonly #lineBytesMax: number;
  #lines: Uint8Array[] = [];
  #bytes = 0;
  readonly #sources = new Set<Readable>();
  readonly #servers: { readonly server: Server; readonly path: string | undefined }[] = [];

  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax;
  }

  /** Nothing is left and nothing can come. */
  get isDone(): boolean {
    return this.#lines.length === 0 && this.#sources.size === 0 && this.#servers.length === 0;
  }

  /** Takes the lines of a stream until it ends; a last one without an end counts. */
  add(source: Readable): void {
    let rest: Buffer | undefined;
    this.#sources.add(source);
    source.on('data', (part: Buffer) => {
      const bytes = rest === undefined ? part : Buffer.concat([rest, part]);
      let at = 0;
      for (;;) {
        const end = bytes.indexOf(LINE_FEED, at);
        const lineEnd = end < 0 ? bytes.byteLength : end;
        if (lineEnd - at > this.#lineBytesMax) {
          this.#push(bytes.subarray(at, at + this.#lineBytesMax));
          at += this.#lineBytesMax;
          continue;
        }
        if (end < 0) break;
        this.#push(withoutReturn(bytes.subarray(at, end)));
        at = end + 1;
      }
      rest = at < bytes.byteLength ? Buffer.from(bytes.subarray(at)) : undefined;
      if (this.#bytes > QUEUE_BYTES_MAX) source.pause();
    });
    const end = (): void => {
      if (!this.#sources.delete(source)) return;
      if (rest !== undefined) this.#push(withoutReturn(rest));
    };
    source.on('end', end);
    source.on('close', end);
    source.on('error', end);
  }

  /** Takes lines from whoever connects there. @throws CliError CLI_USAGE, CLI_PORT_IN_USE */
  async listen(url: string): Promise<string> {
    const place = parsePlace(url);
    if (place === undefined || (place.kind === 'tcp' && place.tls !== undefined)) {
      throw new CliError('CLI_USAGE', `Cannot listen on "${url}": expected unix:/path or tcp://`);
    }
    const server = createServer((socket) => {
      socket.setTimeout(SILENT_MS_MAX, () => socket.destroy());
      this.add(socket);
    });
    server.maxConnections = CONNECTIONS_MAX;
    const path = place.kind === 'unix' ? place.path : undefined;
    if (path !== undefined) rmSync(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => {
        const message = `Cannot listen on ${url}: ${codeOf(cause)}`;
        reject(new CliError('CLI_PORT_IN_USE', message, { cause }));
      });
      server.listen(place.kind === 'unix' ? { path: place.path } : place, () => resolve());
    });
    if (path !== undefined) chmodSync(path, 0o600);
    this.#servers.push({ server, path });
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    return placeUrl(place.kind === 'unix' ? place : { ...place, port });
  }

  /** Lines in their order, up to about so many bytes. */
  take(bytesMax: number): Uint8Array[] {
    let count = 0;
    let bytes = 0;
    for (const line of this.#lines) {
      // An empty line costs a record as well.
      if (count > 0 && bytes + line.byteLength + 1 > bytesMax) break;
      count++;
      bytes += line.byteLength + 1;
    }
    const taken = this.#lines.slice(0, count);
    this.#lines = this.#lines.slice(count);
    this.#bytes -= bytes;
    if (this.#bytes <= QUEUE_BYTES_MAX / 2) for (const source of this.#sources) source.resume();
    return taken;
  }

  close(): void {
    for (const { server, path } of this.#servers) {
      server.close();
      if (path !== undefined) rmSync(path, { force: true });
    }
    this.#servers.length = 0;
    for (const source of [...this.#sources]) source.destroy();
  }

  #push(line: Buffer): void {
    this.#lines.push(line);
    this.#bytes += line.byteLength + 1;
  }
}

function withoutReturn(line: Buffer): Buffer {
  return line.at(-1) === 13 ? line.subarray(0, -1) : line;
}
