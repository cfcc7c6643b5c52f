// A connection to a peer: the wire of the package bittorrent-protocol, joined to a socket and held within
// bounds. Whatever a stranger sends, the most it ends is its own connection: messages longer than any
// that is meant here, keys that no one may choose, bytes that the package stumbles over.

import type { Duplex } from 'node:stream';
import Protocol from 'bittorrent-protocol';
import { AssertionFailure } from '#base/assert.ts';
import type { KeyExchange } from './key-exchange.ts';

/** The bit of the handshake by which a peer says that it knows v2 (BEP 52). */
const V2_BYTE = 27;
const V2_BIT = 0x10;
const HANDSHAKE_BYTES = 68;
/** A piece's block and its head, or which of two million pieces a peer has. */
const MESSAGE_BYTES_MAX = 256 * 1024;
/** Sent and not taken: who asks and does not read is let go. Above what is sent on purpose. */
const UNSENT_BYTES_MAX = 8 * 1024 * 1024;

export class PeerWire extends Protocol {
  readonly socket: Duplex;
  /** Set before the handshake: it is by the v2 hash, so the peer may ask for hashes of the tree. */
  isV2 = false;
  #isShaken = false;

  /** `socket` is the wire's from here on. With keys it was accepted, and may be encrypted or plain. */
  constructor(socket: Duplex, keys?: KeyExchange) {
    if (keys === undefined) super();
    else super('tcpIncoming', 1);
    if (this._encryptor !== null) this._encryptor._dh = keys;
    this.socket = socket;
    this.on('data', (bytes) => {
      if (socket.writableLength > UNSENT_BYTES_MAX) socket.destroy();
      else if (!socket.destroyed) socket.write(bytes);
    });
    this.on('error', () => socket.destroy());
    this.on('close', () => socket.destroy());
    socket.on('data', (bytes: Uint8Array) => this.write(bytes));
    socket.once('end', () => this.destroy());
    socket.once('close', () => this.destroy());
    socket.on('error', () => socket.destroy());
  }

  /** A handshake was sent. */
  get isShaken(): boolean {
    return this.#isShaken;
  }

  /** Sends a message that the package does not know; its kind first. */
  sendMessage(message: Uint8Array): void {
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, message.length);
    this._push(length);
    this._push(message);
  }

  override _write(bytes: Uint8Array, done: (error?: Error | null) => void): void {
    try {
      super._write(bytes, done);
    } catch (error) {
      if (error instanceof AssertionFailure) throw error;
      this.socket.destroy();
    }
  }

  override _push(bytes: Uint8Array): unknown {
    const isHandshake = bytes.length === HANDSHAKE_BYTES && bytes[0] === 19 && bytes[1] === 0x42;
    if (isHandshake && !this.#isShaken) {
      this.#isShaken = true;
      if (this.isV2) bytes[V2_BYTE]! |= V2_BIT;
    }
    return super._push(bytes);
  }

  override _onMessageLength(bytes: Uint8Array): void {
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
    if (length > MESSAGE_BYTES_MAX) this.socket.destroy();
    else super._onMessageLength(bytes);
  }
}
