// multipart/form-data as it comes (RFC 7578), in parts of any size and cut anywhere: names of parts and
// their bytes, never more in memory than one chunk and a header.
//
//   --BOUNDARY CRLF  header lines  CRLF CRLF  bytes  CRLF --BOUNDARY CRLF  …  CRLF --BOUNDARY--

const HEADER_BYTES_MAX = 8192;
const PREAMBLE_BYTES_MAX = 65_536;
const CRLF2 = Buffer.from('\r\n\r\n');
const DASH = 0x2d;

export interface MultipartSink {
  /** A part begins; undefined when its header gives no name. */
  onPart(name: string | undefined): void;
  /** The bytes are good until it returns. */
  onBytes(bytes: Uint8Array): void;
  onPartEnd(): void;
}

/** Of a Content-Type header; undefined when it is none of a form with files. */
export function boundaryOf(contentType: string): string | undefined {
  if (!/^multipart\/(?:form-data|mixed)\s*;/i.test(contentType)) return undefined;
  const match = /;\s*boundary=(?:"([^"\r\n]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType);
  return match?.[1] ?? match?.[2];
}

type State = 'preamble' | 'after-boundary' | 'headers' | 'body' | 'end' | 'broken';

export class MultipartReader {
  readonly #sink: MultipartSink;
  readonly #delimiter: Buffer;
  /** A line break before the first boundary is not needed: it is put there. */
  #rest: Buffer = Buffer.from('\r\n');
  #state: State = 'preamble';

  constructor(boundary: string, sink: MultipartSink) {
    this.#sink = sink;
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  }

  /** Whether the closing boundary was read: what comes to its end without it was cut. */
  get isWhole(): boolean {
    return this.#state === 'end';
  }

  /** False when it is no multipart body: nothing may be pushed any more. */
  push(chunk: Uint8Array): boolean {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#step());
    return this.#state !== 'broken';
  }

  /** True when there may be more to read in what is there. */
  #step(): boolean {
    switch (this.#state) {
      case 'preamble':
        return this.#readPreamble();
      case 'after-boundary':
        return this.#readBoundaryEnd();
      case 'headers':
        return this.#readHeaders();
      case 'body':
        return this.#readBody();
      case 'end':
      case 'broken':
        this.#rest = Buffer.alloc(0);
        return false;
      default:
        this.#state satisfies never;
        return false;
    }
  }

  #readPreamble(): boolean {
    const at = this.#rest.indexOf(this.#delimiter);
    if (at < 0) {
      if (this.#rest.byteLength > PREAMBLE_BYTES_MAX) this.#state = 'broken';
      return false;
    }
    this.#rest = this.#rest.subarray(at + this.#delimiter.byteLength);
    this.#state = 'after-boundary';
    return true;
  }

  #readBoundaryEnd(): boolean {
    if (this.#rest.byteLength < 2) return false;
    const isLast = this.#rest[0] === DASH && this.#rest[1] === DASH;
    const isNext = this.#rest[0] === 13 && this.#rest[1] === 10;
    this.#state = isLast ? 'end' : isNext ? 'headers' : 'broken';
    // The line break is left: a part without header lines begins with the empty line.
    if (isLast) this.#rest = this.#rest.subarray(2);
    return true;
  }

  #readHeaders(): boolean {
    const at = this.#rest.indexOf(CRLF2);
    if (at < 0) {
      if (this.#rest.byteLength > HEADER_BYTES_MAX) this.#state = 'broken';
      return this.#state === 'broken';
    }
    const header = this.#rest.toString('utf8', 0, at);
    this.#rest = this.#rest.subarray(at + CRLF2.byteLength);
    const disposition = /^content-disposition:\s*form-data\b([^\r\n]*)/im.exec(header)?.[1] ?? '';
    this.#sink.onPart(/;\s*name="([^"\r\n]*)"/i.exec(disposition)?.[1]);
    this.#state = 'body';
    return true;
  }

  #readBody(): boolean {
    const at = this.#rest.indexOf(this.#delimiter);
    // What may be the begin of a boundary stays until the next chunk tells.
    const end = at < 0 ? this.#rest.byteLength - this.#delimiter.byteLength + 1 : at;
    if (end > 0) {
      this.#sink.onBytes(this.#rest.subarray(0, end));
      this.#rest = this.#rest.subarray(end);
    }
    if (at < 0) return false;
    this.#rest = this.#rest.subarray(this.#delimiter.byteLength);
    this.#sink.onPartEnd();
    this.#state = 'after-boundary';
    return true;
  }
}
