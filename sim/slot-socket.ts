// A datagram socket without a network: a test or a benchmark fills the input slots and calls the
// handler, and finds the answers in the output slots or, when they were flushed, counted.

import { DatagramSlots, type OpenUdp, type UdpOptions, type UdpSocket } from '#net/udp-socket.ts';

export class SlotSocket implements UdpSocket {
  readonly family = 4;
  readonly steered = false;
  readonly bound: { readonly address: string; readonly port: number };
  readonly input: DatagramSlots;
  readonly output: DatagramSlots;
  /** Datagrams and bytes that were flushed. */
  sent = 0;
  sentBytes = 0;
  readonly #onBatch: (socket: UdpSocket) => void;

  /** `onOpen` is given every socket that the door opens. */
  static opener(onOpen: (socket: SlotSocket) => void): OpenUdp {
    return async (options) => {
      const socket = new SlotSocket(options);
      onOpen(socket);
      return socket;
    };
  }

  constructor(options: UdpOptions) {
    // The port asked for: 0 leaves the doors beside it, which are real, a free one.
    this.bound = { address: '127.0.0.1', port: options.port };
    this.input = new DatagramSlots(options.slotsMax, options.inputBytesMax);
    this.output = new DatagramSlots(options.slotsMax, options.outputBytesMax);
    this.#onBatch = options.onBatch;
  }

  /** Hands the filled input slots to the door and sends its answers. */
  receive(): void {
    this.#onBatch(this);
    this.flush();
    this.input.count = 0;
  }

  flush(): void {
    for (let slot = 0; slot < this.output.count; slot++) {
      this.sentBytes += this.output.lengths[slot]!;
    }
    this.sent += this.output.count;
    this.output.count = 0;
  }

  async close(): Promise<void> {
    this.flush();
  }
}
