// A two-way stream of messages, text or bytes, as both sides of the store's protocol see a connection:
// a WebSocket of the server (ws-messages.ts) or of the platform (client/web-socket-messages.ts), or a
// UNIX socket (framed-messages.ts).

/** Calls come one at a time, never from inside a call to the stream, and must not throw. */
export interface MessageHandler {
  onText(text: string): void;
  /** The bytes are good until it returns. */
  onBytes(bytes: Uint8Array): void;
  /** Everything that was sent is on its way. */
  onDrain(): void;
  /** The last call. `reason` is for people. */
  onClosed(reason: string): void;
}

export interface MessageStream {
  /** Sent and not yet taken by the system. */
  readonly unsentBytes: number;
  /** Once, before anything else; nothing is read before. */
  start(handler: MessageHandler): void;
  /** No-op once closed. */
  sendText(text: string): void;
  /** Keeps the bytes until they are sent: the caller must not change them. */
  sendBytes(bytes: Uint8Array): void;
  /** No more is read until `resume`, but for what is on its way already. Some streams cannot. */
  pause(): void;
  resume(): void;
  /** Sends what waits and says goodbye, with a WebSocket's close code. */
  close(code: number): void;
  /** At once; `onClosed` follows. */
  destroy(): void;
}
