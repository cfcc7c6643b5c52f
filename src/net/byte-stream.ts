// A two-way stream of bytes, as the log's server and client see a connection: over TCP, TLS or a
// UNIX socket (stream-node.ts), or inside one process (stream-loopback.ts). Who uses it owns every
// deadline; nothing here waits by itself.

/** Where a stream is listened for or dialled. */
export type StreamPlace =
  | { readonly kind: 'unix'; readonly path: string }
  | {
      readonly kind: 'tcp';
      /** An address to listen on, a name or an address to dial. */
      readonly host: string;
      /** Listening, 0 lets the system choose. */
      readonly port: number;
      readonly tls?: StreamTls;
    };

/** PEM texts. A listener needs key and certificate; a dialler trusts `ca`, or what the system does. */
export interface StreamTls {
  readonly key?: string;
  readonly certificate?: string;
  readonly ca?: string;
  /** The name that the other side's certificate must have; the host unless given. */
  readonly serverName?: string;
}

/** Calls come one at a time, never from inside a call to the stream, and must not throw. */
export interface StreamHandler {
  /** The bytes are the handler's to keep. */
  onData(bytes: Uint8Array): void;
  /** Everything that was written is on its way. */
  onDrain(): void;
  /** The other side sends no more; it may still read. */
  onEnd(): void;
  /** The last call. `error` says why when it did not end in order. */
  onClosed(error: Error | undefined): void;
}

export interface ByteStream {
  /** For an operator's eyes: `127.0.0.1:40112`, `unix`. */
  readonly peer: string;
  /** Written and not yet taken by the system: what a peer that does not read costs in memory. */
  readonly unsentBytes: number;
  /** Once, before anything else; nothing is read before. */
  start(handler: StreamHandler): void;
  /** Keeps the bytes until they are sent: the caller must not change them. No-op once closed. */
  write(bytes: Uint8Array | string): void;
  /** What is written from now until the end of this turn leaves as one. */
  gather(): void;
  /** No `onData` until `resume`, but for what is on its way already. */
  pause(): void;
  resume(): void;
  /** Sends what was written, then says that no more comes. */
  end(): void;
  /** Closes at once; `onClosed` follows. Idempotent. */
  destroy(): void;
}

export interface StreamListener {
  /** As it is written in a URL: `unix:/run/log.sock`, `tcp://127.0.0.1:4100`. */
  readonly url: string;
  /** Accepts no more; streams that are open stay. Idempotent. */
  close(): Promise<void>;
}

/**
 * Calls `onStream` for each that is accepted. `onFailed` tells that accepting failed for good.
 * @throws NetError NET_BIND_FAILED, NET_TLS_INVALID
 */
export type ListenStream = (
  place: StreamPlace,
  onStream: (stream: ByteStream) => void,
  onFailed: (error: Error) => void,
) => Promise<StreamListener>;

/** @throws NetError NET_DIAL_FAILED, NET_TLS_INVALID; rejects with the signal's reason */
export type DialStream = (place: StreamPlace, signal: AbortSignal) => Promise<ByteStream>;

/** `unix:/path`, `tcp://host:port`, `tls://host:port`, or undefined when it is none of these. */
export function parsePlace(url: string): StreamPlace | undefined {
  if (url.startsWith('unix:')) {
    const path = url.slice('unix:'.length).replace(/^\/\/(?=\/)/, '');
    return path === '' ? undefined : { kind: 'unix', path };
  }
  const match = /^(tcp|tls):\/\/(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):([0-9]{1,5})\/?$/.exec(
    url,
  );
  if (match === null) return undefined;
  const host = match[2] ?? match[3] ?? '';
  const port = Number(match[4]);
  if (port > 65_535) return undefined;
  return { kind: 'tcp', host, port, ...(match[1] === 'tls' ? { tls: {} } : undefined) };
}

export function placeUrl(place: StreamPlace): string {
  if (place.kind === 'unix') return `unix:${place.path}`;
  const scheme = place.tls === undefined ? 'tcp' : 'tls';
  const host = place.host.includes(':') ? `[${place.host}]` : place.host;
  return `${scheme}://${host}:${place.port}`;
}
