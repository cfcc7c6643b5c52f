// The UDP socket over the addon in native/. The event loop says that datagrams are there; then turns
// follow each other, one native call each that sends the answers of the batch before and fills the
// input slots anew, until nothing is there or the time slice is over.

import { assert } from '#base/assert.ts';
import type { Clock } from '#base/clock.ts';
import type { Logger } from '#base/logger.ts';
import type { Registry } from '#metrics/registry.ts';
import { type Addon, CONFIG, REPORT, systemError, UDP_REPORT, WORDS } from './addon.ts';
import { NetError } from './errors.ts';
import { FailureGauge } from './failure-gauge.ts';
import { type Family, formatEndpoint, formatIp, parseIp } from './ip-address.ts';
import type { TurnSlice } from './turn-slice.ts';
import { UdpCounts } from './udp-counts.ts';
import { PendingDatagrams } from './udp-pending.ts';
import {
  DatagramSlots,
  type OpenUdp,
  type UdpOptions,
  type UdpSocket,
  warnAboutBuffers,
} from './udp-socket.ts';

export interface BatchedUdpWorld {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Registry;
  readonly addon: Addon;
  readonly slice: TurnSlice;
}

/** `open` binds sockets that one native call serves in batches; one opener serves a whole thread. */
export function batchedUdp(world: BatchedUdpWorld): OpenUdp {
  return async (options) => new BatchedUdpSocket(world, options);
}

class BatchedUdpSocket implements UdpSocket {
  readonly family: Family;
  readonly bound: { readonly address: string; readonly port: number };
  readonly steered: boolean;
  readonly input: DatagramSlots;
  readonly output: DatagramSlots;
  readonly #options: UdpOptions;
  readonly #addon: Addon;
  readonly #clock: Clock;
  readonly #slice: TurnSlice;
  readonly #id: number;
  readonly #report: Int32Array;
  readonly #counts: UdpCounts;
  readonly #failures: FailureGauge;
  readonly #pending: PendingDatagrams;
  #isClosed = false;

  constructor(world: BatchedUdpWorld, options: UdpOptions) {
    const address = new Uint8Array(16);
    const family = parseIp(options.address, address);
    if (family === 0) {
      throw new NetError(
        'NET_ADDRESS_INVALID',
        `Cannot listen on "${options.address}": expected an IPv4 or IPv6 address`,
      );
    }
    this.family = family;
    this.input = new DatagramSlots(options.slotsMax, options.inputBytesMax);
    this.output = new DatagramSlots(options.slotsMax, options.outputBytesMax);
    this.#options = options;
    this.#addon = world.addon;
    this.#clock = world.clock;
    this.#slice = world.slice;
    this.#report = wordsOf(options, family, address);
    this.#id = world.addon.udpOpen(
      this.#report.buffer as ArrayBuffer,
      this.input.memory,
      this.output.memory,
      (events) => this.#onReady(events),
    );
    if (this.#id < 0) {
      throw new NetError(
        'NET_BIND_FAILED',
        `Cannot open UDP ${formatEndpoint(options.address, options.port)}`,
        { cause: systemError(this.#id, 'bind') },
      );
    }
    this.bound = { address: formatIp(address, family), port: this.#report[REPORT.port]! };
    this.steered = this.#report[REPORT.steered] === 1;
    warnAboutBuffers(options, world.logger, {
      receiveBytes: this.#report[REPORT.receiveBuffer]!,
      sendBytes: this.#report[REPORT.sendBuffer]!,
    });
    this.#counts = new UdpCounts(world);
    this.#pending = new PendingDatagrams(options);
    this.#failures = new FailureGauge({
      clock: world.clock,
      logger: world.logger,
      metrics: world.metrics,
      name: `UDP ${formatEndpoint(this.bound.address, this.bound.port)}`,
      onLasting: options.onFailed,
    });
    this.#slice.opened();
  }

  flush(): void {
    if (this.#isClosed) this.output.count = 0;
    else this.#turn(0);
  }

  close(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    this.flush();
    this.#isClosed = true;
    this.#addon.close(this.#id);
    this.#slice.closed();
    this.#counts.dropped('closed', this.#pending.count);
    this.#counts.close();
    return Promise.resolve();
  }

  #onReady(events: number): void {
    if (events < 0) this.#failures.failed('receive', systemError(events, 'poll'));
    const { input } = this;
    const untilMs = this.#clock.monotonicMs() + this.#slice.ms;
    do {
      const received = this.#turn(1);
      if (received === 0) return;
      if (received < 0) continue;
      input.count = received;
      this.#options.onBatch(this);
      input.count = 0;
    } while (!this.#isClosed && this.#clock.monotonicMs() < untilMs);
    this.flush();
  }

  /** Sends what stands in the output slots, then fills the input slots; how many. */
  #turn(mayReceive: 0 | 1): number {
    const { output } = this;
    assert(output.count <= output.slotsMax, 'there are not more datagrams than slots');
    if (this.#isClosed) return 0;
    if (this.#pending.count > 0) this.#sendPending();
    const { count } = output;
    const received = this.#addon.udpTurn(this.#id, count, mayReceive);
    const report = this.#report;
    output.count = 0;
    this.#counts.sent(report[UDP_REPORT.bytesOut]!);
    if (report[UDP_REPORT.sent] !== count) this.#onUnsent(count);
    else if (count > 0) this.#failures.worked('send');
    if (mayReceive === 1) this.#onReceived(received);
    return received;
  }

  #onReceived(received: number): void {
    const report = this.#report;
    if (received > 0) {
      this.#counts.received(report[UDP_REPORT.bytesIn]!);
      this.#failures.worked('receive');
    } else if (report[UDP_REPORT.receiveErrno] !== 0) {
      this.#failures.failed('receive', systemError(report[UDP_REPORT.receiveErrno]!, 'recvmmsg'));
    }
    this.#counts.dropped('too long', report[UDP_REPORT.tooLong]!);
    this.#counts.dropped('sender', report[UDP_REPORT.badSenders]!);
  }

  /** Some of the `count` datagrams were not taken: refused ones are lost, the others wait. */
  #onUnsent(count: number): void {
    const report = this.#report;
    this.#counts.dropped('unreachable', report[UDP_REPORT.unreachable]!);
    const failed = report[UDP_REPORT.sendsFailed]!;
    for (let each = 0; each < failed; each++) {
      this.#failures.failed('send', systemError(report[UDP_REPORT.sendErrno]!, 'sendmmsg'));
    }
    const from = report[UDP_REPORT.unsentFrom]!;
    if (from >= count) return;
    const isFirst = this.#pending.count === 0;
    this.#counts.dropped('send queue full', this.#pending.add(this.output, from, count));
    if (isFirst) this.#addon.udpWatch(this.#id, 1);
  }

  /**
   * The kernel did not take what waits, so the newest wait behind it; then as many as it takes now
   * are sent. Leaves the output empty.
   */
  #sendPending(): void {
    const { output } = this;
    const report = this.#report;
    this.#counts.dropped('send queue full', this.#pending.add(output, 0, output.count));
    while (this.#pending.count > 0) {
      const count = this.#pending.peek(output);
      this.#addon.udpTurn(this.#id, count, 0);
      const taken = report[UDP_REPORT.unsentFrom]!;
      this.#counts.sent(report[UDP_REPORT.bytesOut]!);
      this.#counts.dropped('unreachable', report[UDP_REPORT.unreachable]!);
      this.#counts.dropped('send failed', report[UDP_REPORT.sendsFailed]!);
      this.#pending.remove(taken);
      if (taken < count) break;
    }
    output.count = 0;
    if (this.#pending.count === 0) this.#addon.udpWatch(this.#id, 0);
  }
}

function wordsOf(options: UdpOptions, family: Family, address: Uint8Array): Int32Array {
  const words = new Int32Array(WORDS);
  words[CONFIG.family] = family;
  words[CONFIG.port] = options.port;
  words[CONFIG.shareCount] = options.share?.count ?? 0;
  words[CONFIG.shareIndex] = options.share?.index ?? 0;
  words[CONFIG.slots] = options.slotsMax;
  words[CONFIG.inputBytes] = options.inputBytesMax;
  words[CONFIG.outputBytes] = options.outputBytesMax;
  words[CONFIG.receiveBuffer] = options.receiveBufferBytes;
  words[CONFIG.sendBuffer] = options.sendBufferBytes;
  words[CONFIG.steer] = options.share?.steer ? 1 : 0;
  new Uint8Array(words.buffer, CONFIG.addressBytesAt, 16).set(address);
  return words;
}
