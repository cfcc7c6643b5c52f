// TCP connections as slots with bounded buffers. Bytes that arrived stand in a connection's input;
// the handler takes requests from its front and writes answers into its output. A connection whose
// output is not read gets no more input handled (back-pressure), and one that stays so past its
// deadline is dropped. That is the shape of an epoll loop; tcp-node.ts fills the same slots from
// node:net. tcp-server.conformance.ts is the suite that each implementation passes.

import type { Family } from './ip-address.ts';

export interface TcpConnection {
  /** Different for every connection of a server; names one that may be gone by now. */
  readonly id: number;
  /** The peer's, read once at accept. `address` has 16 bytes, of which family 4 uses 4. */
  readonly family: Family;
  readonly address: Uint8Array;
  readonly port: number;
  /** Its bytes came encrypted. */
  readonly isTls: boolean;
  /** The handler's own; undefined when the connection is new. */
  context: object | undefined;

  /** The server's buffer: `input[0 … inputLength)` arrived and was not consumed. */
  readonly input: Uint8Array;
  readonly inputLength: number;
  /** Takes the first `bytes` away; what follows moves to the front. */
  consume(bytes: number): void;

  /** The server's buffer; write from `outputLength` on, then call `produce`. */
  readonly output: Uint8Array;
  readonly outputLength: number;
  produce(bytes: number): void;

  /**
   * While held, `onInput` is not called and no idle or read deadline runs: an answer is awaited
   * from elsewhere. `release` goes on with what arrived meanwhile.
   */
  hold(): void;
  release(): void;
  /** From now on this connection may be silent for `idleMs` instead of the server's `idleMsMax`. */
  setIdle(idleMs: number): void;
  /** Sends what was produced outside of `onInput`. */
  flush(): void;
  /** Sends what was produced, then closes. Input that comes still is dropped. */
  end(): void;
  /** Closes at once; what was produced is lost. */
  destroy(): void;
}

export interface TcpHandler {
  /**
   * Inputs that arrived together are about to be handled, and have been. Not every input comes between
   * these two calls.
   */
  onTurnStart?(): void;
  onTurnEnd?(): void;
  /**
   * New input, or room in the output again. Takes as many requests as there are and as fit; one
   * that does not fit stays in the input, and the call comes again when output was read. A full
   * input of which nothing is taken although the output is empty ends the connection. Must not
   * throw.
   */
  onInput(connection: TcpConnection): void;
  /** The connection is gone, whoever ended it; nothing may be written to it any more. */
  onClosed(connection: TcpConnection): void;
}

export interface TcpServer {
  readonly family: Family;
  readonly bound: { readonly address: string; readonly port: number };
  readonly connections: number;
  /** Accepts no more, lets produced output go out for up to `lingerMs`, then drops. Idempotent. */
  close(lingerMs: number): Promise<void>;
}

/**
 * One of `count` listeners on one port (SO_REUSEPORT), among which the kernel spreads connections.
 * They are opened in the order of `index`, each after the one before it is open; with port 0 the
 * first one's port is the others'.
 */
export interface TcpShare {
  readonly index: number;
  readonly count: number;
}

export interface TcpOptions {
  /** An IPv4 or IPv6 address. An IPv6 listener never takes IPv4-mapped traffic. */
  readonly address: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Absent: the port is this listener's alone. */
  readonly share?: TcpShare;
  /** Connections the kernel holds before they are accepted. */
  readonly backlog: number;
  /** More are closed at once and counted. */
  readonly connectionsMax: number;
  readonly inputBytesMax: number;
  readonly outputBytesMax: number;
  /** Between an answer and the next request's first byte. */
  readonly idleMsMax: number;
  /** From a request's first byte until it is consumed. */
  readonly readMsMax: number;
  /** From produced bytes until the peer took them. */
  readonly writeMsMax: number;
  readonly handler: TcpHandler;
  /** The listener fails again and again: the owner should end. */
  readonly onFailed: (error: Error) => void;
}

/** Opens and binds. @throws NetError NET_ADDRESS_INVALID, NET_BIND_FAILED */
export type OpenTcp = (options: TcpOptions) => Promise<TcpServer>;
