// A whole tracker for tests: real sockets on free ports, a log on disk in a temporary folder, members
// and torrents told through the topic `control` as the outbox does.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { accountingConfig } from '#accounting/config.ts';
import { decodeTransfer, type TransferRecord } from '#accounting/transfers/transfer-record.ts';
import { type Clock, SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { type Logger, silentLogger } from '#base/logger.ts';
import { SystemRandom } from '#base/random.ts';
import { logConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import type { Log } from '#log/log.ts';
import { Registry } from '#metrics/registry.ts';
import type { OpenTcp } from '#net/tcp-server.ts';
import type { OpenUdp } from '#net/udp-socket.ts';
import { swarmConfig } from '#swarm/config.ts';
import { Swarm } from '#swarm/swarm.ts';
import { trackerConfig } from '#tracker/config.ts';
import { startTracker, type Tracker } from '#tracker/tracker.ts';
import type { WebRtcRelay } from '#tracker/websocket/webrtc-relay.ts';
import {
  type ControlMessage,
  controlKey,
  encodeControl,
  type MemberMessage,
  type TorrentMessage,
} from '#wire/control-message.ts';

export interface TestTrackerOptions {
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly tracker?: Readonly<Record<string, unknown>>;
  readonly swarm?: Readonly<Record<string, unknown>>;
  readonly accounting?: Readonly<Record<string, unknown>>;
  /** Read at each start, so a test may change it before a restart. */
  readonly log?: Readonly<Record<string, unknown>>;
  /** Stands between tracker and log, to fail or delay appends. */
  readonly wrapLog?: (log: Log) => Log;
  /** Stands in for the sockets of the HTTP and WebSocket door. */
  readonly openTcp?: OpenTcp;
  /** Listens beside them, at a port of its own, for what came by TLS. */
  readonly openTls?: OpenTcp;
  /** Of several trackers over one swarm. */
  readonly swarmMemory?: SharedArrayBuffer;
  readonly relay?: WebRtcRelay;
  /** Stands in for the sockets of the UDP door. */
  readonly openUdp?: OpenUdp;
}

export class TestTracker {
  readonly folder: string;
  readonly metrics = new Registry();
  tracker!: Tracker;
  swarm!: Swarm;
  log!: Log;
  #owned!: LocalLog;
  readonly #options: TestTrackerOptions;
  #outboxId = 0;

  private constructor(options: TestTrackerOptions) {
    this.#options = options;
    this.folder = mkdtempSync(join(tmpdir(), 'swarmkeep-tracker-'));
  }

  static async start(options: TestTrackerOptions = {}): Promise<TestTracker> {
    const test = new TestTracker(options);
    try {
      await test.open();
    } catch (error) {
      await test.#owned.close();
      rmSync(test.folder, { recursive: true, force: true });
      throw error;
    }
    return test;
  }

  /** The port of every door. */
  get port(): number {
    return this.tracker.doors[0]!.port;
  }

  /** Opens log and tracker over what is in the folder. */
  async open(): Promise<void> {
    const clock = this.#options.clock ?? new SystemClock();
    const logger = this.#options.logger ?? silentLogger;
    const random = new SystemRandom();
    const disk = new SystemDisk();
    const parts = { clock, logger, random, disk, metrics: this.metrics };
    mkdirSync(join(this.folder, 'log'), { recursive: true });
    this.#owned = await LocalLog.open({
      ...parts,
      // The log's own timers follow the machine's time, whatever the tracker's clock says.
      clock: new SystemClock(),
      folder: join(this.folder, 'log'),
      config: logConfig.parse(this.#options.log ?? {}),
    });
    this.log = this.#options.wrapLog?.(this.#owned) ?? this.#owned;
    const config = {
      tracker: trackerConfig.parse({
        addresses: ['127.0.0.1', '::1'],
        port: 0,
        ...this.#options.tracker,
      }),
      swarm: swarmConfig.parse({
        peersMax: 10_000,
        torrentsMax: 1000,
        membersMax: 1000,
        ...this.#options.swarm,
      }),
      accounting: accountingConfig.parse({ batchAgeMsMax: 10, ...this.#options.accounting }),
    };
    const { relay, swarmMemory = Swarm.reserve(config.swarm) } = this.#options;
    this.swarm = new Swarm({ memory: swarmMemory, clock, random, config: config.swarm });
    this.tracker = await startTracker({
      ...parts,
      log: this.log,
      swarmMemory,
      ...(relay !== undefined && { relay }),
      baselinesFolder: join(this.folder, 'baselines'),
      trackerFolder: join(this.folder, 'tracker'),
      connectionKey: new Uint8Array(32).fill(1),
      config,
      ...(this.#options.openUdp !== undefined && { openUdp: this.#options.openUdp }),
      ...(this.#options.openTcp !== undefined && { openTcp: this.#options.openTcp }),
      ...(this.#options.openTls !== undefined && { openTls: this.#options.openTls }),
    });
  }

  /** Relays the messages and waits until they are in force. */
  async tell(...messages: readonly ControlMessage[]): Promise<void> {
    const records = messages.map((message) => ({
      key: Buffer.from(controlKey(message)),
      value: encodeControl(message, ++this.#outboxId),
    }));
    await this.#owned.append('control', records, { consistency: 'durable' });
    await until(() => this.tracker.stats().control.appliedOutboxId >= this.#outboxId);
  }

  /** Every transfer record, once all that was answered is in the log. */
  async transfers(): Promise<TransferRecord[]> {
    await until(() => this.tracker.stats().recordsPending === 0);
    const records: TransferRecord[] = [];
    for (let from = 0; ; ) {
      const read = await this.#owned.read('transfers', { from });
      for (const { value } of read.records) {
        const record = decodeTransfer(value);
        if (record === undefined) throw new Error('a transfer record is not valid');
        records.push(record);
      }
      if (read.nextOffset === from) return records;
      from = read.nextOffset;
    }
  }

  /** Closes tracker and log, in order, and opens both again. */
  async restart(): Promise<void> {
    await this.stop();
    await this.open();
  }

  async stop(): Promise<void> {
    await this.tracker.close();
    await this.#owned.close();
  }

  async close(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function memberMessage(
  memberId: number,
  passkey: string,
  more: Partial<MemberMessage> = {},
): MemberMessage {
  return {
    kind: 'member',
    memberId,
    passkeys: [passkey],
    state: 'active',
    reason: '',
    mayLeech: true,
    isProtected: false,
    ...more,
  };
}

export function torrentMessage(
  torrentId: number,
  infoHashV1: string | undefined,
  more: Partial<TorrentMessage> = {},
): TorrentMessage {
  return {
    kind: 'torrent',
    torrentId,
    ...(infoHashV1 !== undefined && { infoHashV1 }),
    state: 'active',
    reason: '',
    uploadCreditPercent: 100,
    downloadCreditPercent: 100,
    ...more,
  };
}

/** @throws when it does not become true within 30 seconds, which no busy machine takes */
export async function until(is: () => boolean): Promise<void> {
  const untilMs = performance.now() + 30_000;
  while (!is()) {
    if (performance.now() > untilMs) throw new Error(`not true within 30 seconds: ${is}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
