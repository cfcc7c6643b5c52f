// A TCP connection without a network: a benchmark fills its input and calls the handler, and what the
// handler wrote is counted and gone.

import type { OpenTcp, TcpConnection, TcpHandler, TcpOptions } from '#net/tcp-server.ts';

export class SlotStream implements TcpConnection {
  readonly id = 1;
  readonly family = 4;
  readonly address: Uint8Array = new Uint8Array(16);
  readonly port = 40_000;
  readonly isTls = false;
  readonly input: Uint8Array;
  context: object | undefined = undefined;
  inputLength = 0;
  readonly output: Uint8Array;
  outputLength = 0;
  /** Bytes and calls that would have gone to the kernel. */
  sentBytes = 0;
  writes = 0;
  readonly #handler: TcpHandler;

  /** `onOpen` is given a connection to every listener that the door opens. */
  static opener(onOpen: (stream: SlotStream) => void): OpenTcp {
    return async (options) => {
      onOpen(new SlotStream(options));
      const bound = { address: '127.0.0.1', port: 6969 };
      return { family: 4, bound, connections: 1, close: async () => {} };
    };
  }

  constructor(options: TcpOptions) {
    this.input = new Uint8Array(options.inputBytesMax);
    this.output = new Uint8Array(options.outputBytesMax);
    this.#handler = options.handler;
    this.address.set([127, 0, 0, 1]);
  }

  /** Hands what was written into the input to the door. */
  receive(bytes: number): void {
    this.inputLength = bytes;
    this.#handler.onInput(this);
    this.flush();
  }

  consume(bytes: number): void {
    if (bytes < this.inputLength) this.input.copyWithin(0, bytes, this.inputLength);
    this.inputLength -= bytes;
  }

  produce(bytes: number): void {
    this.outputLength += bytes;
  }

  flush(): void {
    if (this.outputLength === 0) return;
    this.sentBytes += this.outputLength;
    this.writes++;
    this.outputLength = 0;
  }

  hold(): void {}
  release(): void {}
  setIdle(): void {}
  end(): void {}
  destroy(): void {}
}
