// Datagram sockets as batches of slots. A socket fills input slots with what arrived and calls its
// handler once for all of them; the handler writes output slots in place and the socket sends them
// after it returned. That is the shape of one recvmmsg and one sendmmsg; udp-node.ts fills the same
// slots from node:dgram. udp-socket.conformance.ts is the suite that each implementation passes.

import { assert } from '#base/assert.ts';
import type { Logger } from '#base/logger.ts';
import type { Family } from './ip-address.ts';

/**
 * Datagrams side by side in one buffer. Slot `n` has its bytes from `n * slotBytes`, its address (4
 * bytes for family 4, 16 for family 6, wire order) from `n * 16`. All slots of one socket have the
 * socket's family. The arrays are views of `memory`, one after another as native/udp.c reads them:
 * bytes (padded to 8), addresses, lengths, ports, families. It must never be transferred.
 */
export class DatagramSlots {
  readonly slotsMax: number;
  readonly slotBytes: number;
  readonly memory: ArrayBuffer;
  readonly bytes: Uint8Array;
  /** Of the same bytes. */
  readonly view: DataView;
  readonly lengths: Uint16Array;
  readonly addresses: Uint8Array;
  /** The same, for those who copy them as words. */
  readonly addressView: DataView;
  readonly ports: Uint16Array;
  readonly families: Uint8Array;
  /** How many are filled: slots 0 to count - 1. */
  count = 0;

  constructor(slotsMax: number, slotBytes: number) {
    assert(slotsMax > 0 && slotBytes > 0 && slotBytes <= 65_535, 'slots have a size');
    this.slotsMax = slotsMax;
    this.slotBytes = slotBytes;
    const bytes = slotsMax * slotBytes;
    const addressesAt = Math.ceil(bytes / 8) * 8;
    const lengthsAt = addressesAt + slotsMax * 16;
    const portsAt = lengthsAt + slotsMax * 2;
    const familiesAt = portsAt + slotsMax * 2;
    this.memory = new ArrayBuffer(familiesAt + slotsMax);
    this.bytes = new Uint8Array(this.memory, 0, bytes);
    this.view = new DataView(this.memory, 0, bytes);
    this.addresses = new Uint8Array(this.memory, addressesAt, slotsMax * 16);
    this.addressView = new DataView(this.memory, addressesAt, slotsMax * 16);
    this.lengths = new Uint16Array(this.memory, lengthsAt, slotsMax);
    this.ports = new Uint16Array(this.memory, portsAt, slotsMax);
    this.families = new Uint8Array(this.memory, familiesAt, slotsMax);
  }
}

/** Where a datagram goes. `address` holds 4 or 16 bytes at its start. */
export interface Endpoint {
  readonly family: Family;
  readonly address: Uint8Array;
  readonly port: number;
}

export interface UdpSocket {
  readonly family: Family;
  /** What the socket is bound to; the port is the real one when 0 was asked for. */
  readonly bound: { readonly address: string; readonly port: number };
  /** Whether the kernel steers announces of this port by info hash: see `UdpOptions.share`. */
  readonly steered: boolean;
  /** Valid while the handler runs. */
  readonly input: DatagramSlots;
  /**
   * The handler's, and anybody's between two batches (answers that waited). To send: when `count`
   * is `slotsMax` call flush(); fill slot `count`; raise `count`. The socket flushes by itself after
   * each batch; who writes outside of a batch calls flush().
   */
  readonly output: DatagramSlots;
  /**
   * Sends what stands in the output slots and empties them. A datagram that the kernel does not
   * take is lost, as datagrams are; it is counted and never an exception.
   */
  flush(): void;
  /** Flushes; nothing is received after it resolves, what was sent is with the kernel. Idempotent. */
  close(): Promise<void>;
}

/**
 * One of `count` sockets on one port (SO_REUSEPORT). They are opened in the order of `index`, each
 * after the one before it is open; with port 0 the first one's port is the others'. With `steer` a
 * datagram of at least 98 bytes whose action word is announce goes to the socket whose index is the
 * first big-endian 32 bits of the info hash modulo `count`, as soon as the last is open; all other
 * datagrams, and all where the system cannot do that (`steered` is false), go by the kernel's hash of
 * addresses and ports.
 */
export interface UdpShare {
  readonly index: number;
  readonly count: number;
  readonly steer: boolean;
}

export interface UdpOptions {
  /** An IPv4 or IPv6 address. An IPv6 socket never takes IPv4-mapped traffic. */
  readonly address: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Absent: the port is this socket's alone. */
  readonly share?: UdpShare;
  /** Datagrams handled at once, and the slots of each side. */
  readonly slotsMax: number;
  /** Longer datagrams are dropped and counted: no valid one is longer. */
  readonly inputBytesMax: number;
  readonly outputBytesMax: number;
  /** Kernel buffers, 0 leaves the system's default. What the kernel refuses is told, not fatal. */
  readonly receiveBufferBytes: number;
  readonly sendBufferBytes: number;
  /** Datagrams the kernel has not yet taken; more are dropped and counted. */
  readonly sendsPendingMax: number;
  /** Called with 1 to slotsMax filled input slots. Must not throw. */
  readonly onBatch: (socket: UdpSocket) => void;
  /** The socket fails again and again (`failuresLasting` in a row): the owner should end. */
  readonly onFailed: (error: Error) => void;
}

/** Opens and binds. @throws NetError NET_ADDRESS_INVALID, NET_BIND_FAILED */
export type OpenUdp = (options: UdpOptions) => Promise<UdpSocket>;

/** Tells the operator when the kernel granted smaller buffers than were asked for. */
export function warnAboutBuffers(
  options: UdpOptions,
  logger: Logger,
  granted: { readonly receiveBytes: number; readonly sendBytes: number },
): void {
  const { receiveBufferBytes, sendBufferBytes } = options;
  if (granted.receiveBytes < receiveBufferBytes) {
    logger.warn('the kernel caps the UDP receive buffer', {
      askedBytes: receiveBufferBytes,
      grantedBytes: granted.receiveBytes,
      remedy: `sysctl -w net.core.rmem_max=${receiveBufferBytes}`,
    });
  }
  if (granted.sendBytes < sendBufferBytes) {
    logger.warn('the kernel caps the UDP send buffer', {
      askedBytes: sendBufferBytes,
      grantedBytes: granted.sendBytes,
      remedy: `sysctl -w net.core.wmem_max=${sendBufferBytes}`,
    });
  }
}
