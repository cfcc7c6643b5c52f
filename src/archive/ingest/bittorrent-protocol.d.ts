// The part of the package bittorrent-protocol that is used here; it brings no types. What begins with an
// underscore is the package's own, which peer/peer-wire.ts bounds: its version is held by the lockfile.

declare module 'bittorrent-protocol' {
  import type { Duplex } from 'node:stream';

  interface PieceSet {
    get(index: number): boolean;
  }

  interface WireEvents {
    handshake(infoHash: string, peerId: string): void;
    /** Of an encrypted connection: SHA-1 of `req2` and the info hash, in hex. */
    'crypto-infohash'(hash: string): void;
    /** Encryption stands. */
    'crypto-handshake'(): void;
    bitfield(pieces: PieceSet): void;
    'have-all'(): void;
    have(index: number): void;
    choke(): void;
    unchoke(): void;
    interested(): void;
    uninterested(): void;
    request(
      piece: number,
      offset: number,
      length: number,
      respond: (error: Error | null, block?: Uint8Array) => void,
    ): void;
    cancel(piece: number, offset: number, length: number): void;
    /** Its kind first. */
    unknownmessage(message: Uint8Array): void;
    data(bytes: Uint8Array): void;
    close(): void;
    error(error: Error): void;
  }

  interface Wire extends Omit<Duplex, 'on' | '_write' | 'destroy'> {
    readonly peerPieces: PieceSet;
    readonly peerChoking: boolean;
    readonly amChoking: boolean;
    readonly peerInterested: boolean;
    readonly hasFast: boolean;
    /** Requests of the peer that were neither answered nor cancelled. */
    readonly peerRequests: readonly unknown[];
    extendedHandshake: Readonly<Record<string, unknown>>;
    on<Name extends keyof WireEvents>(name: Name, listener: WireEvents[Name]): this;
    handshake(infoHash: string, peerId: Uint8Array, extensions?: { readonly fast?: boolean }): void;
    /** Begins an encrypted connection. */
    startEncryption(infoHash: string): void;
    /** The answer to `crypto-infohash`. */
    setInfoHash(infoHash: string): void;
    bitfield(bits: Uint8Array): void;
    haveAll(): void;
    have(index: number): void;
    choke(): void;
    unchoke(): void;
    interested(): void;
    reject(piece: number, offset: number, length: number): void;
    setKeepAlive(enable: boolean): void;
    request(
      piece: number,
      offset: number,
      length: number,
      done: (error: Error | null, block?: Uint8Array) => void,
    ): void;
    destroy(): this | undefined;
    /** Of a connection that may be encrypted; `_dh` is made by OpenSSL unless it is there. */
    readonly _encryptor: { _dh: unknown } | null;
    _write(bytes: Uint8Array, done: (error?: Error | null) => void): void;
    _push(bytes: Uint8Array): unknown;
    _onMessageLength(bytes: Uint8Array): void;
  }

  const Protocol: new (kind?: 'tcpIncoming' | 'tcpOutgoing', encryption?: 0 | 1 | 2) => Wire;
  // biome-ignore lint/style/noDefaultExport: the package exports its class so
  export default Protocol;
}
