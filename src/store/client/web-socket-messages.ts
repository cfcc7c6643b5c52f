// The platform's own WebSocket, of a browser or of Node, as a stream of messages.

import type { MessageHandler, MessageStream } from '#store/upload/message-stream.ts';

/** What is used of the platform's class. */
export interface PlatformSocket {
  binaryType: string;
  readonly bufferedAmount: number;
  send(data: string | Uint8Array): void;
  close(code?: number): void;
  addEventListener(type: string, listener: (event: PlatformEvent) => void): void;
}

export interface PlatformEvent {
  readonly data?: unknown;
  readonly code?: number;
  readonly reason?: string;
}

export class WebSocketMessages implements MessageStream {
  readonly #socket: PlatformSocket;
  #isClosed = false;
  #handler: MessageHandler | undefined;

  /** Takes the socket before it is open: nothing that comes is missed. */
  constructor(socket: PlatformSocket) {
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
  }

  get unsentBytes(): number {
    return this.#socket.bufferedAmount;
  }

  start(handler: MessageHandler): void {
    this.#handler = handler;
    const socket = this.#socket;
    socket.addEventListener('message', ({ data }) => {
      if (this.#isClosed) return;
      if (typeof data === 'string') handler.onText(data);
      else if (data instanceof ArrayBuffer) handler.onBytes(new Uint8Array(data));
    });
    socket.addEventListener('close', ({ code, reason }) => {
      this.#closed(`the WebSocket ended (${[code, reason].filter(Boolean).join(', ')})`);
    });
    // The platform does not tell why, lest pages find out about other machines.
    socket.addEventListener('error', () => this.#closed('the WebSocket broke or was refused'));
  }

  sendText(text: string): void {
    if (!this.#isClosed) this.#socket.send(text);
  }

  sendBytes(bytes: Uint8Array): void {
    if (!this.#isClosed) this.#socket.send(bytes);
  }

  /** The platform cannot; what comes is bounded by the protocol's window. */
  pause(): void {}

  resume(): void {}

  close(code: number): void {
    this.#socket.close(code);
  }

  destroy(): void {
    this.#socket.close();
    queueMicrotask(() => this.#closed('the connection was given up'));
  }

  #closed(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#handler?.onClosed(reason);
  }
}
