// The UDP socket over node:dgram. Datagrams that arrive in one turn of the event loop are collected
// in the input slots and handled together in the turn's check phase; when the slots are full they
// are handled at once. Output slots are copied when they are sent, because dgram may hold a buffer.

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { Clock } from '#base/clock.ts';
import { codeOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import type { Registry } from '#metrics/registry.ts';
import { NetError } from './errors.ts';
import { FailureGauge } from './failure-gauge.ts';
import { type Family, formatEndpoint, formatIp, parseIp } from './ip-address.ts';
import {
  DatagramSlots,
  type OpenUdp,
  type UdpOptions,
  type UdpSocket,
  warnAboutBuffers,
} from './udp-socket.ts';

const MS_TO_BIND_MAX = 5000;

export interface NodeUdpWorld {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Registry;
}

/** `open` binds sockets of Node's own; one such opener serves a whole thread. */
export function nodeUdp(world: NodeUdpWorld): OpenUdp {
  const counters = {
    dropped: world.metrics.counter(
      'swarmkeep_udp_datagrams_dropped_total',
      'Datagrams that were not handled or not sent, by reason.',
    ),
    bytes: world.metrics.counter('swarmkeep_udp_bytes_total', 'Bytes of datagrams, by direction.'),
  };
  return async (options) => {
    const bytes = new Uint8Array(16);
    const family = parseIp(options.address, bytes);
    if (family === 0) {
      throw new NetError(
        'NET_ADDRESS_INVALID',
        `Cannot listen on "${options.address}": expected an IPv4 or IPv6 address`,
      );
    }
    if (options.share?.index === 0 && options.port !== 0) {
      // A port that is shared inside this process must not be taken from another one's hands.
      const { share: _, ...alone } = options;
      await closed(await bind(alone, family, world.clock));
    }
    const socket = await bind(options, family, world.clock);
    return new NodeUdpSocket({ socket, family, options, world, counters });
  };
}

function bind(options: UdpOptions, family: Family, clock: Clock): Promise<Socket> {
  const where = formatEndpoint(options.address, options.port);
  return new Promise((resolve, reject) => {
    const socket = createSocket({
      type: family === 4 ? 'udp4' : 'udp6',
      ipv6Only: family === 6,
      reusePort: options.share !== undefined,
      ...(options.receiveBufferBytes > 0 && { recvBufferSize: options.receiveBufferBytes }),
      ...(options.sendBufferBytes > 0 && { sendBufferSize: options.sendBufferBytes }),
      // Addresses come from slots and are never names; Node's own look-up costs a turn per send.
      lookup: (host, _options, done) => done(null, host, family),
    });
    const fail = (cause: unknown): void => {
      timer.cancel();
      socket.close();
      reject(new NetError('NET_BIND_FAILED', `Cannot open UDP ${where}`, { cause }));
    };
    const timer = clock.after(MS_TO_BIND_MAX, () => fail(new Error('no answer in 5 seconds')));
    socket.once('error', fail);
    socket.bind({ address: options.address, port: options.port, exclusive: true }, () => {
      timer.cancel();
      socket.removeListener('error', fail);
      resolve(socket);
    });
  });
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.close(() => resolve()));
}

interface Counters {
  readonly dropped: ReturnType<Registry['counter']>;
  readonly bytes: ReturnType<Registry['counter']>;
}

class NodeUdpSocket implements UdpSocket {
  readonly family: Family;
  readonly bound: { readonly address: string; readonly port: number };
  readonly steered = false;
  readonly input: DatagramSlots;
  readonly output: DatagramSlots;
  readonly #socket: Socket;
  readonly #options: UdpOptions;
  readonly #counters: Counters;
  readonly #failures: FailureGauge;
  readonly #address = new Uint8Array(16);
  #immediate: NodeJS.Immediate | undefined;
  #sendsPending = 0;
  #closing: Promise<void> | undefined;
  #onSent: (() => void) | undefined;

  constructor(parts: {
    readonly socket: Socket;
    readonly family: Family;
    readonly options: UdpOptions;
    readonly world: NodeUdpWorld;
    readonly counters: Counters;
  }) {
    const { socket, options, world } = parts;
    const { address, port } = socket.address();
    this.family = parts.family;
    this.bound = { address, port };
    this.input = new DatagramSlots(options.slotsMax, options.inputBytesMax);
    this.output = new DatagramSlots(options.slotsMax, options.outputBytesMax);
    this.#socket = socket;
    this.#options = options;
    this.#counters = parts.counters;
    this.#failures = new FailureGauge({
      clock: world.clock,
      logger: world.logger,
      metrics: world.metrics,
      name: `UDP ${formatEndpoint(address, port)}`,
      onLasting: options.onFailed,
    });
    socket.on('message', (bytes, from) => this.#receive(bytes, from));
    socket.on('error', (error) => this.#failures.failed('receive', error));
    // The kernel reports twice what it grants, for its own bookkeeping.
    warnAboutBuffers(options, world.logger, {
      receiveBytes: socket.getRecvBufferSize() / 2,
      sendBytes: socket.getSendBufferSize() / 2,
    });
  }

  flush(): void {
    const { output } = this;
    for (let slot = 0; slot < output.count; slot++) this.#send(slot);
    output.count = 0;
  }

  close(): Promise<void> {
    if (this.#closing === undefined) this.flush();
    this.#closing ??= new Promise((resolve) => {
      clearImmediate(this.#immediate);
      const end = (): void => {
        this.#socket.close(() => resolve());
      };
      if (this.#sendsPending === 0) end();
      else this.#onSent = end;
    });
    return this.#closing;
  }

  #receive(bytes: Buffer, from: RemoteInfo): void {
    const { input } = this;
    if (this.#closing !== undefined) return;
    if (bytes.byteLength > input.slotBytes) {
      this.#counters.dropped.add(1, { reason: 'too long' });
      return;
    }
    // Link-local senders carry a zone that slots and records have no room for.
    if (parseIp(from.address, this.#address) !== this.family || from.port === 0) {
      this.#counters.dropped.add(1, { reason: 'sender' });
      return;
    }
    const slot = input.count++;
    input.bytes.set(bytes, slot * input.slotBytes);
    input.lengths[slot] = bytes.byteLength;
    input.addresses.set(this.#address, slot * 16);
    input.ports[slot] = from.port;
    input.families[slot] = this.family;
    this.#failures.worked('receive');
    this.#counters.bytes.add(bytes.byteLength, { direction: 'in' });
    if (input.count === input.slotsMax) this.#handle();
    else this.#immediate ??= setImmediate(() => this.#handle());
  }

  #handle(): void {
    clearImmediate(this.#immediate);
    this.#immediate = undefined;
    if (this.input.count === 0) return;
    this.#options.onBatch(this);
    this.input.count = 0;
    this.flush();
  }

  #send(slot: number): void {
    const { output } = this;
    if (this.#closing !== undefined || this.#sendsPending >= this.#options.sendsPendingMax) {
      this.#counters.dropped.add(1, { reason: 'send queue full' });
      return;
    }
    const from = slot * output.slotBytes;
    const length = output.lengths[slot]!;
    const bytes = Buffer.from(output.bytes.subarray(from, from + length));
    const address = formatIp(output.addresses.subarray(slot * 16, slot * 16 + 16), this.family);
    this.#sendsPending++;
    const port = output.ports[slot]!;
    try {
      this.#socket.send(bytes, 0, length, port, address, (error) => this.#sent(error, length));
    } catch (error) {
      this.#sent(error as Error, length);
    }
  }

  #sent(error: Error | null, length: number): void {
    this.#sendsPending--;
    if (error === null) {
      this.#failures.worked('send');
      this.#counters.bytes.add(length, { direction: 'out' });
    } else if (isTheirFault(error)) this.#counters.dropped.add(1, { reason: 'unreachable' });
    else this.#failures.failed('send', error);
    if (this.#sendsPending === 0 && this.#onSent !== undefined) {
      const run = this.#onSent;
      this.#onSent = undefined;
      run();
    }
  }
}

/** Errors that one destination causes say nothing about the socket. */
function isTheirFault(error: Error): boolean {
  switch (codeOf(error)) {
    case 'ECONNREFUSED':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EINVAL':
    case 'EACCES':
    case 'EPERM':
    case 'EADDRNOTAVAIL':
      return true;
    default:
      return false;
  }
}
