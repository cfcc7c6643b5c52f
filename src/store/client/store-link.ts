// One connection to a store server from the client's side: numbers requests, keeps to the server's
// limits, puts pieces together, and gives each request its one end. It knows no socket and nothing of
// Node, so that the same code runs in a browser.
//
// A put waits in line until the server's bound has room for it: blobs are in flight, memory is not.

import { type BlobRef, blobRef } from '#base/ids.ts';
import type { MessageStream } from '#store/upload/message-stream.ts';
import {
  PIECE_HEADER_BYTES,
  parseAnswer,
  parseLimits,
  parseNumber,
  pieceNumber,
  pieceOf,
  type StoreAnswer,
  type StoreLimits,
} from '#store/upload/store-messages.ts';

/** A failure as the server named it, or the link itself: `STORE_UNREACHABLE` when it broke. */
export interface LinkFailure {
  readonly code: string;
  readonly message: string;
}

export interface LinkRequest {
  /** `COMMAND`, and what follows the number. */
  readonly command: string;
  readonly rest?: string;
  /** Of a PUT: sent behind it in pieces. The link keeps it until the answer. */
  readonly body?: Uint8Array;
  /** What follows the number in OK or JSON. Once, like `onFailed`; nothing comes after either. */
  onDone(text: string): void;
  onFailed(failure: LinkFailure): void;
  /** A whole blob of a GET, RANGE or STREAM, not verified. `release` lets the server send on. */
  onBlob?(blob: LinkBlob, release: () => void): void;
  /** A blob that was asked for and cannot be given. */
  onLacks?(lack: { readonly ref: string; readonly code: string; readonly rest: string }): void;
}

export interface LinkBlob {
  readonly ref: BlobRef;
  readonly body: Uint8Array;
  /** Of a STREAM. */
  readonly token: string;
}

interface Partial {
  readonly ref: BlobRef;
  readonly token: string;
  readonly body: Uint8Array;
  filled: number;
}

/** A request until its end. */
class Call {
  readonly request: LinkRequest;
  readonly #link: { cancel(call: Call): void };
  /** 0 until it leaves: numbers ascend on the wire. */
  number = 0;
  partial: Partial | undefined;
  /** Bytes that were taken and of which the server was not told. */
  untold = 0;
  /** Whole blobs that the reader has not taken. */
  waiting = 0;

  constructor(request: LinkRequest, link: { cancel(call: Call): void }) {
    this.request = request;
    this.#link = link;
  }

  /** It ends all the same: with STORE_CANCELLED, or with its answer when that was on its way. */
  cancel(): void {
    this.#link.cancel(this);
  }
}

export type LinkCall = Pick<Call, 'cancel'>;

export class StoreLink {
  readonly limits: StoreLimits;
  readonly #stream: MessageStream;
  readonly #onClosed: (failure: LinkFailure) => void;
  readonly #calls = new Map<number, Call>();
  /** Puts that the server's bound has no room for yet. */
  readonly #line: Call[] = [];
  #unansweredBytes = 0;
  #lastNumber = 0;
  #failure: LinkFailure | undefined;

  private constructor(
    stream: MessageStream,
    limits: StoreLimits,
    onClosed: (failure: LinkFailure) => void,
  ) {
    this.#stream = stream;
    this.limits = limits;
    this.#onClosed = onClosed;
  }

  /** Waits for the greeting; rejects with a LinkFailure. `onClosed` is called once, at an open link's end. */
  static open(stream: MessageStream, onClosed: (failure: LinkFailure) => void): Promise<StoreLink> {
    return new Promise((resolve, reject) => {
      let link: StoreLink | undefined;
      let failure: LinkFailure | undefined;
      const fail = (why: LinkFailure): void => {
        failure ??= why;
        stream.destroy();
      };
      const onText = (text: string): void => {
        const answer = parseAnswer(text);
        if (answer === undefined) fail(NOT_UNDERSTOOD);
        else if (answer.kind === 'ERR' && answer.number === 0) fail(failureOf(answer.rest));
        else if (link !== undefined) link.#onAnswer(answer);
        else {
          const limits = answer.kind === 'HELLO' ? parseLimits(answer.rest) : undefined;
          if (limits === undefined) fail(NOT_UNDERSTOOD);
          else {
            link = new StoreLink(stream, limits, onClosed);
            resolve(link);
          }
        }
      };
      stream.start({
        onText,
        onBytes: (bytes) => {
          if (link !== undefined) link.#onPiece(bytes);
        },
        onDrain() {},
        onClosed: (reason) => {
          const why = failure ?? { code: 'STORE_UNREACHABLE', message: reason };
          if (link === undefined) reject(why);
          else link.#end(why);
        },
      });
    });
  }

  get isOpen(): boolean {
    return this.#failure === undefined;
  }

  send(request: LinkRequest): LinkCall {
    const call = new Call(request, this);
    if (this.#failure !== undefined) request.onFailed(this.#failure);
    else if (request.body === undefined) this.#leave(call);
    else {
      this.#line.push(call);
      this.#sendLine();
    }
    return call;
  }

  cancel(call: Call): void {
    const at = this.#line.indexOf(call);
    if (at >= 0) {
      this.#line.splice(at, 1);
      call.request.onFailed({ code: 'STORE_CANCELLED', message: 'The request was taken back' });
    } else if (this.#calls.get(call.number) === call && this.#failure === undefined) {
      this.#stream.sendText(`CANCEL ${++this.#lastNumber} ${call.number}`);
    }
  }

  /** Says goodbye; what has no answer fails with STORE_CLOSED. */
  close(): void {
    this.#stream.close(1000);
    this.#end({ code: 'STORE_CLOSED', message: 'The client was closed' });
  }

  destroy(): void {
    this.#stream.destroy();
  }

  #sendLine(): void {
    for (let call = this.#line[0]; call !== undefined; call = this.#line[0]) {
      const bytes = this.#unansweredBytes + (call.request.body?.byteLength ?? 0);
      const hasRoom = this.#unansweredBytes === 0 || bytes <= this.limits.unansweredBytesMax;
      if (!hasRoom || this.#calls.size >= this.limits.requestsMax - CANCELS) return;
      this.#line.shift();
      this.#unansweredBytes = bytes;
      this.#leave(call);
    }
  }

  #leave(call: Call): void {
    const { command, rest = '', body } = call.request;
    call.number = ++this.#lastNumber;
    this.#calls.set(call.number, call);
    this.#stream.sendText(`${command} ${call.number}${rest === '' ? '' : ` ${rest}`}`);
    if (body === undefined) return;
    const { pieceBytesMax } = this.limits;
    for (let at = 0; at < body.byteLength; at += pieceBytesMax) {
      this.#stream.sendBytes(pieceOf(call.number, body.subarray(at, at + pieceBytesMax)));
    }
  }

  #onAnswer({ kind, number, rest }: StoreAnswer): void {
    const call = this.#calls.get(number);
    // The answer to a CANCEL.
    if (call === undefined) return;
    switch (kind) {
      case 'OK':
      case 'JSON':
        this.#finish(call);
        call.request.onDone(rest);
        return;
      case 'ERR':
        this.#finish(call);
        call.request.onFailed(failureOf(rest));
        return;
      case 'BLOB':
        this.#onBlob(call, rest);
        return;
      case 'LACKS': {
        const [ref = '', code = '', ...more] = rest.split(' ');
        call.request.onLacks?.({ ref, code, rest: more.join(' ') });
        return;
      }
      default:
        this.#broken();
    }
  }

  #finish(call: Call): void {
    this.#calls.delete(call.number);
    this.#unansweredBytes -= call.request.body?.byteLength ?? 0;
    this.#sendLine();
  }

  #onBlob(call: Call, rest: string): void {
    const [name = '', size, token = ''] = rest.split(' ');
    const ref = blobRef(name);
    const bytes = parseNumber(size, this.limits.blobBytesMax);
    const isNext = call.partial === undefined && call.request.onBlob !== undefined;
    if (ref === undefined || bytes === undefined || !isNext) {
      this.#broken();
      return;
    }
    call.partial = { ref, token, body: new Uint8Array(bytes), filled: 0 };
    if (bytes === 0) this.#whole(call, call.partial, 0);
  }

  #onPiece(message: Uint8Array): void {
    const call = this.#calls.get(pieceNumber(message));
    // Of a request that has ended.
    if (call === undefined) return;
    const { partial } = call;
    const bytes = message.subarray(PIECE_HEADER_BYTES);
    if (partial === undefined || partial.filled + bytes.byteLength > partial.body.byteLength) {
      this.#broken();
      return;
    }
    partial.body.set(bytes, partial.filled);
    partial.filled += bytes.byteLength;
    if (partial.filled === partial.body.byteLength) {
      this.#whole(call, partial, bytes.byteLength);
    } else this.#took(call, bytes.byteLength);
  }

  #whole(call: Call, { ref, token, body }: Partial, lastBytes: number): void {
    call.partial = undefined;
    call.waiting++;
    call.untold += lastBytes;
    let isReleased = false;
    call.request.onBlob?.({ ref, token, body }, () => {
      if (isReleased) return;
      isReleased = true;
      call.waiting--;
      this.#took(call, 0);
    });
  }

  /** While a whole blob waits for the reader, what comes behind it counts as not taken. */
  #took(call: Call, bytes: number): void {
    call.untold += bytes;
    const isRunning = this.#calls.get(call.number) === call;
    const isEnough = call.untold >= this.limits.sendWindowBytes / 4;
    if (!isRunning || call.waiting > 0 || !isEnough) return;
    this.#stream.sendText(`TOOK ${call.number} ${call.untold}`);
    call.untold = 0;
  }

  #broken(): void {
    this.#stream.destroy();
    this.#end(NOT_UNDERSTOOD);
  }

  #end(failure: LinkFailure): void {
    if (this.#failure !== undefined) return;
    this.#failure = failure;
    const calls = [...this.#calls.values(), ...this.#line.splice(0)];
    this.#calls.clear();
    this.#onClosed(failure);
    for (const call of calls) call.request.onFailed(failure);
  }
}

/** Places that are kept for taking requests back. */
const CANCELS = 8;

const NOT_UNDERSTOOD: LinkFailure = {
  code: 'STORE_PROTOCOL',
  message: 'The store server said what is not understood',
};

function failureOf(rest: string): LinkFailure {
  const [code = '', ...words] = rest.split(' ');
  return { code, message: words.join(' ') };
}
