// The part of the package bittorrent-protocol that is used here; it brings no types.

declare module 'bittorrent-protocol' {
  import type { Duplex } from 'node:stream';

  interface PieceSet {
    get(index: number): boolean;
  }

  interface WireEvents {
    handshake(infoHash: string, peerId: string): void;
    bitfield(pieces: PieceSet): void;
    have(index: number): void;
    unchoke(): void;
    request(
      piece: number,
      offset: number,
      length: number,
      respond: (error: Error | null, block?: Uint8Array) => void,
    ): void;
    close(): void;
    error(error: Error): void;
  }

  interface Wire extends Omit<Duplex, 'on'> {
    readonly peerPieces: PieceSet;
    readonly peerChoking: boolean;
    on<Name extends keyof WireEvents>(name: Name, listener: WireEvents[Name]): this;
    handshake(infoHash: string, peerId: Uint8Array): void;
    bitfield(bits: Uint8Array): void;
    have(index: number): void;
    unchoke(): void;
    interested(): void;
    setKeepAlive(enable: boolean): void;
    request(
      piece: number,
      offset: number,
      length: number,
      done: (error: Error | null, block?: Uint8Array) => void,
    ): void;
    destroy(): void;
  }

  const Protocol: new () => Wire;
  // biome-ignore lint/style/noDefaultExport: the package exports its class so
  export default Protocol;
}
