// A world from one seed: simulated clients, a network that delays, doubles, reorders and loses, a
// tracker of one to three threads whose appends fail and stall and that crashes at any moment, over
// the real announcers, swarm, queue, writer and baseline store. Any request may come to any thread.
// In the end each member's credited bytes are the bytes its clients moved.
//
// What a client does: it says `started` by each of its channels until it is answered, moves bytes
// only after that, says `stopped` by each until it is answered, and only then begins a new session,
// with the same or a new peer id, the same or a new key. One that is killed says nothing more; of
// its last bytes the tracker may know fewer, never more. Where `trickery` is on, what a session sent
// comes again in the next, and some channels are a tier with counters of its own.

import assert from 'node:assert/strict';
import { AuditChain } from '#accounting/audit/audit-chain.ts';
import { baselineKeyText } from '#accounting/baselines/baseline.ts';
import { BaselineStore } from '#accounting/baselines/baseline-store.ts';
import type { AccountingConfig } from '#accounting/config.ts';
import {
  decodeTransfer,
  RECORD_FLAG,
  TRANSFERS_TOPIC,
} from '#accounting/transfers/transfer-record.ts';
import { CodedError } from '#base/errors.ts';
import { silentLogger } from '#base/logger.ts';
import { below, SeededRandom } from '#base/random.ts';
import type { Appended, Log } from '#log/log.ts';
import { unpacked } from '#log/segment/packed-records.ts';
import { type AnnounceRequest, DOOR, EVENT } from '#swarm/announce-slot.ts';
import type { SwarmConfig } from '#swarm/config.ts';
import { newAnnounceRequest, type Parked } from '#tracker/announce/waiting.ts';
import { SimClock } from './clock.ts';
import { SimDisk } from './disk.ts';
import { MemoryLog } from './memory-log.ts';
import { memberMessage, torrentMessage } from './test-tracker.ts';
import { TrackerProcess } from './tracker-process.ts';

/** A request or answer takes up to this; a doubled one comes up to as much later again. */
const DELAY_MS_MAX = 2000;
const RETRY_MS = 5000;
const STALL_MS_MAX = 90_000;
/** Copies from a session that kept its key come so long after the next began: less than resetAfterMs. */
const COPY_MS_MAX = 110_000;

export interface TrackerWorldOptions {
  readonly seed: number;
  readonly members: number;
  /** Drawn for each world: at least the first, fewer than the second. */
  readonly clients: readonly [min: number, below: number];
  /** Every other one is a hybrid, with two hashes. */
  readonly torrents: number;
  /** Announces that may wait for the disk. */
  readonly waitingMax: number;
  /** One append of so many takes up to a minute and a half; 0 for none. */
  readonly stallOneIn: number;
  readonly trickery?: boolean;
  readonly swarm: SwarmConfig;
  readonly accounting: AccountingConfig;
}

const COUNTED = [
  ...(['records', 'crashes', 'lost', 'dropped', 'resets', 'late', 'sessions'] as const),
  ...(['stalls', 'copies'] as const),
] as const;

/** What happened: a world in which nothing goes wrong proves nothing. */
export type WorldCounts = Record<(typeof COUNTED)[number], number>;

export function newWorldCounts(): WorldCounts {
  return Object.fromEntries(COUNTED.map((name) => [name, 0])) as WorldCounts;
}

interface Torrent {
  readonly hashes: readonly string[];
}

function torrentsOf(count: number): readonly Torrent[] {
  return Array.from({ length: count }, (_, at) => {
    const tail = `112233445566778899aabbccddee${at.toString(16).padStart(10, '0')}`;
    return { hashes: at % 2 === 0 ? [`00${tail}`] : [`aa${tail}`, `bb${tail}`] };
  });
}

type Answer = 'answered' | 'refused' | 'dropped';

export class TrackerWorld {
  readonly clock = new SimClock();
  readonly random: SeededRandom;
  readonly log = new MemoryLog();
  readonly clients: Client[] = [];
  readonly counts = newWorldCounts();
  readonly torrents: readonly Torrent[];
  readonly options: TrackerWorldOptions;
  readonly #disk: SimDisk;
  #process: TrackerProcess | undefined;
  #running = 0;
  #failing = true;

  constructor(options: TrackerWorldOptions) {
    const { seed } = options;
    this.options = options;
    this.torrents = torrentsOf(options.torrents);
    this.random = new SeededRandom(seed);
    this.#disk = new SimDisk({ random: new SeededRandom(seed, 1) });
  }

  async run(): Promise<void> {
    await this.log.createTopic(TRANSFERS_TOPIC);
    await this.#boot();
    const [min, most] = this.options.clients;
    const count = min + below(this.random, most - min);
    for (let index = 0; index < count; index++) {
      const client = new Client(this, index);
      this.clients.push(client);
      this.#running++;
      client.run(() => this.#running--);
    }
    this.#planCrash();
    for (let round = 0; this.#running > 0; round++) {
      assert.ok(round < 5000, 'every client comes to its end');
      await this.clock.run(600_000);
    }
    this.#failing = false;
    await this.clock.run(60_000);
  }

  /** What the records of the log credit to each member. */
  credited(): ReadonlyMap<number, { readonly up: number; readonly down: number }> {
    const credited = new Map<number, { up: number; down: number }>();
    for (const { value } of this.log.recordsOf(TRANSFERS_TOPIC)) {
      const record = decodeTransfer(value);
      assert.ok(record !== undefined, 'every record is valid');
      const sums = credited.get(record.memberId) ?? { up: 0, down: 0 };
      sums.up += record.uploadedDelta;
      sums.down += record.downloadedDelta;
      credited.set(record.memberId, sums);
    }
    return credited;
  }

  /** Each member's credited sum against what its clients moved, and the chain of each baseline. */
  check(): void {
    const credited = this.credited();
    const founded = new Set<string>();
    const problems: string[] = [];
    const chain = new AuditChain({
      ...{ baselinesMax: 10_000, isCut: false },
      report: (problem) => problems.push(problem),
    });
    for (const [offset, { value }] of this.log.recordsOf(TRANSFERS_TOPIC).entries()) {
      const record = decodeTransfer(value);
      assert.ok(record !== undefined, 'every record is valid');
      const key = baselineKeyText(record);
      const isFirst = (record.flags & RECORD_FLAG.first) !== 0;
      const isReset = (record.flags & RECORD_FLAG.reset) !== 0;
      assert.equal(isFirst, !founded.has(key), 'a baseline is founded once');
      founded.add(key);
      assert.ok(chain.check(offset, value, record));
      this.counts.records++;
      if (isReset) this.counts.resets++;
      if ((record.flags & RECORD_FLAG.late) !== 0) this.counts.late++;
    }
    assert.deepEqual(problems, [], 'the chain holds');
    const clients = Map.groupBy(this.clients, (client) => client.memberId);
    for (const [memberId, own] of clients) {
      const sure = own.reduce((sum, client) => sum + client.sureBytes, 0);
      const most = own.reduce((sum, client) => sum + client.movedBytes, 0);
      const { up, down } = credited.get(memberId) ?? { up: 0, down: 0 };
      const sum = up + down;
      assert.ok(sum <= most, `member ${memberId}: credited ${sum}, moved ${most}`);
      assert.ok(sum >= sure, `member ${memberId}: credited ${sum}, of ${sure} that are sure`);
    }
  }

  /** Hands the request over after a while, maybe twice, maybe never; the answer likewise. */
  send(request: AnnounceRequest, onAnswer: (answer: Answer) => void): void {
    const { random, clock } = this;
    const times = below(random, 10) === 0 ? 0 : below(random, 6) === 0 ? 2 : 1;
    for (let copy = 0; copy < times; copy++) {
      clock.after(below(random, DELAY_MS_MAX), () => {
        this.#receive(request, (answer) => {
          if (below(random, 12) === 0) return;
          clock.after(below(random, DELAY_MS_MAX), () => onAnswer(answer));
        });
      });
    }
  }

  /** The log as this process sees it: slow, failing, and gone when the process is. */
  logOf(life: { readonly isDead: boolean }): Log {
    const append: Log['append'] = async (topic, records): Promise<Appended> => {
      const copies = unpacked(records).map(({ value }) => ({ value: value.slice() }));
      await new Promise<void>((resolve) => this.clock.after(this.#appendMs(), resolve));
      if (this.#failing && below(this.random, 12) === 0 && !life.isDead) {
        this.counts.lost++;
        throw new CodedError('LOG_APPEND_FAILED', 'planted');
      }
      // A process that died during its append may or may not have written.
      const isWritten = !life.isDead || below(this.random, 2) === 0;
      if (life.isDead && this.#process !== undefined) await never();
      if (!isWritten) await never();
      const appended = await this.log.append(topic, copies);
      return life.isDead ? await never() : appended;
    };
    return new Proxy<Log>(this.log, {
      get: (target, name) => {
        if (name === 'append') return append;
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  #appendMs(): number {
    const { stallOneIn } = this.options;
    if (stallOneIn === 0 || below(this.random, stallOneIn) > 0) return below(this.random, 400);
    this.counts.stalls++;
    return below(this.random, STALL_MS_MAX);
  }

  #receive(request: AnnounceRequest, onAnswer: (answer: Answer) => void): void {
    const process = this.#process;
    if (process === undefined) return;
    const passkey = Buffer.from(`key-${request.memberId}`);
    // Admission names the member again, from the passkey.
    const copy: AnnounceRequest = { ...request, memberId: 0, torrentId: 0 };
    const answer = (what: Answer): void => {
      if (!process.life.isDead) onAnswer(what);
    };
    const park = (): Parked => ({
      answer: () => answer('answered'),
      refuse: () => answer('refused'),
      drop: () => {
        this.counts.dropped++;
        answer('dropped');
      },
    });
    const key = { passkey, passkeyBytes: passkey.byteLength };
    const { threads } = process;
    const thread = threads[below(this.random, threads.length)]!;
    const verdict = thread.announcer.announce(copy, key, park);
    if (verdict === 'answer') answer('answered');
    else if (verdict === 'refuse') answer('refused');
    else if (verdict === 'drop') this.counts.dropped++;
  }

  #planCrash(): void {
    this.clock.after(20_000 + below(this.random, 3_000_000), () => {
      if (!this.#failing) return;
      const process = this.#process;
      if (process !== undefined) {
        process.life.isDead = true;
        this.#process = undefined;
        this.counts.crashes++;
        this.clock.after(1000 + below(this.random, 30_000), () => void this.#boot());
      }
      this.#planCrash();
    });
  }

  #known() {
    const members = Array.from({ length: this.options.members }, (_, at) =>
      memberMessage(at + 1, `key-${at + 1}`),
    );
    const torrents = this.torrents.map(({ hashes: [v1 = '', v2] }, at) =>
      torrentMessage(at + 1, v1, v2 === undefined ? {} : { infoHashV2: v2 }),
    );
    return [...members, ...torrents];
  }

  async #boot(): Promise<void> {
    const store = await BaselineStore.open({
      disk: this.#disk,
      folder: '/baselines',
      log: this.log,
      clock: this.clock,
      logger: silentLogger,
      config: this.options.accounting,
    });
    const life = { isDead: false };
    this.#process = new TrackerProcess({
      clock: this.clock,
      random: this.random,
      threads: 1 + below(this.random, 3),
      life,
      store,
      log: this.logOf(life),
      swarm: this.options.swarm,
      accounting: this.options.accounting,
      known: this.#known(),
      waitingMax: this.options.waitingMax,
    });
  }
}

interface Channel {
  readonly family: 4 | 6;
  readonly infoHash: string;
  readonly door: 0 | 1;
}

class Client {
  readonly memberId: number;
  /** What its clients really moved, and the part that the tracker must know of. */
  movedBytes = 0;
  sureBytes = 0;
  readonly #world: TrackerWorld;
  readonly #random: SeededRandom;
  readonly #channels: readonly Channel[];
  readonly #address: Uint8Array = new Uint8Array(16);
  readonly #port: number;
  #peerId: Uint8Array;
  #key: number;
  #uploaded = 0;
  #downloaded = 0;
  /** From here on all channels but the first are a tier with counters of its own. */
  #tierFrom: { readonly uploaded: number; readonly downloaded: number } | undefined;
  /** What this session sent and the one before it, the newest last. */
  #sent: AnnounceRequest[] = [];
  #sentBefore: readonly AnnounceRequest[] = [];
  #startedMs = 0;
  /**
   * It was killed and begins anew as if nothing had been, perhaps by another family first: less may be
   * credited (docs/decisions/0009, credited less, 3).
   */
  #isDoubtful = false;
  #sessionsLeft: number;
  #done: () => void = () => undefined;

  constructor(world: TrackerWorld, index: number) {
    this.#world = world;
    this.#random = new SeededRandom(world.random.u32());
    this.memberId = 1 + (index % world.options.members);
    this.#address.set([10, 0, index >> 8, index & 0xff]);
    this.#port = 7000 + (index % 50_000);
    this.#peerId = this.#random.bytes(20);
    this.#key = this.#random.u32();
    this.#sessionsLeft = 1 + below(this.#random, 3);
    this.#channels = this.#drawChannels();
  }

  run(done: () => void): void {
    this.#done = done;
    this.#world.clock.after(below(this.#random, 60_000), () => this.#start());
  }

  #drawChannels(): Channel[] {
    const { torrents } = this.#world;
    const { hashes } = torrents[below(this.#random, torrents.length)]!;
    const families = below(this.#random, 2) === 0 ? ([4] as const) : ([4, 6] as const);
    const door = below(this.#random, 2) === 0 ? DOOR.udp : DOOR.http;
    return hashes.flatMap((infoHash) => families.map((family) => ({ infoHash, family, door })));
  }

  #start(): void {
    this.#world.counts.sessions++;
    this.#uploaded = 0;
    this.#downloaded = 0;
    this.#tierFrom = undefined;
    this.#startedMs = this.#world.clock.nowMs();
    const announcesLeft = 1 + below(this.#random, 5);
    this.#everywhere(EVENT.started, () => this.#seed(announcesLeft));
  }

  /** Moves bytes and announces them, until it stops, or is killed. */
  #seed(announcesLeft: number): void {
    // Nothing of the starts may still be on its way when counters grow.
    const pauseMs = 3 * DELAY_MS_MAX + below(this.#random, 1_800_000);
    this.#world.clock.after(pauseMs, () => {
      this.#move();
      if (this.#world.options.trickery === true) this.#trick();
      if (announcesLeft === 0) {
        this.#end();
        return;
      }
      for (const channel of this.#channels) {
        // Some channels say nothing this time, others say it late or twice.
        if (below(this.#random, 4) > 0) this.#announce(channel, this.#event(), () => undefined);
        if (below(this.#random, 6) === 0) this.#move();
      }
      this.#seed(announcesLeft - 1);
    });
  }

  /** A copy of what the session before sent: of a kept key its goodbye, or soon anything. */
  #trick(): void {
    const random = this.#random;
    if (this.#tierFrom === undefined && below(random, 4) === 0) {
      this.#tierFrom = { uploaded: this.#uploaded, downloaded: this.#downloaded };
    }
    const last = this.#sentBefore.at(-1);
    if (last?.event !== EVENT.stopped) return;
    const any = this.#sentBefore[below(random, this.#sentBefore.length)] ?? last;
    const isSoon = this.#world.clock.nowMs() - this.#startedMs < COPY_MS_MAX - DELAY_MS_MAX;
    const isTold = any.key !== this.#key || (isSoon && any.event !== EVENT.started);
    const isSame = Buffer.compare(any.peerId, this.#peerId) === 0;
    this.#world.send(isSame && isTold ? any : last, () => undefined);
    this.#world.counts.copies++;
  }

  #event(): AnnounceRequest['event'] {
    const draw = below(this.#random, 8);
    return draw === 0 ? EVENT.completed : draw === 1 ? EVENT.paused : EVENT.none;
  }

  #end(): void {
    const moved = this.#uploaded + this.#downloaded;
    if (below(this.#random, 6) === 0) {
      // Killed: what was not announced yet is not the tracker's to know.
      this.movedBytes += moved;
      this.#isDoubtful = true;
      this.#next();
      return;
    }
    this.#everywhere(EVENT.stopped, () => {
      this.movedBytes += moved;
      // A tier's counters may cross the others', and then prove less.
      if (this.#tierFrom === undefined && !this.#isDoubtful) this.sureBytes += moved;
      this.#isDoubtful = false;
      this.#next();
    });
  }

  #next(): void {
    if (this.#sessionsLeft-- === 0) {
      this.#done();
      return;
    }
    this.#sentBefore = this.#sent;
    this.#sent = [];
    if (below(this.#random, 3) === 0) {
      this.#peerId = this.#random.bytes(20);
      this.#isDoubtful = false;
    }
    if (below(this.#random, 2) === 0) {
      this.#key = this.#random.u32();
      this.#isDoubtful = false;
    }
    // What the old session sent has arrived by then; a long silence goes through the store.
    const silenceMs = 4 * DELAY_MS_MAX + below(this.#random, 2) * below(this.#random, 300_000);
    this.#world.clock.after(silenceMs, () => this.#start());
  }

  #move(): void {
    this.#uploaded += below(this.#random, 10_000);
    this.#downloaded += below(this.#random, 10_000);
  }

  /** Says `event` by each channel until each is answered. Counters do not move meanwhile. */
  #everywhere(event: AnnounceRequest['event'], then: () => void): void {
    const open = new Set(this.#channels);
    const ask = (channel: Channel): void => {
      if (!open.has(channel)) return;
      this.#announce(channel, event, (answer) => {
        if (answer === 'dropped' || !open.delete(channel)) return;
        assert.equal(answer, 'answered');
        if (open.size === 0) then();
      });
      this.#world.clock.after(RETRY_MS, () => ask(channel));
    };
    for (const channel of this.#channels) ask(channel);
  }

  #announce(
    channel: Channel,
    event: AnnounceRequest['event'],
    onAnswer: (answer: Answer) => void,
  ): void {
    // Whoever starts or stops does it with the counters of the whole.
    const isWhole = event === EVENT.started || event === EVENT.stopped;
    const from = isWhole || channel === this.#channels[0] ? undefined : this.#tierFrom;
    const request = {
      ...newAnnounceRequest(),
      door: channel.door,
      event,
      family: channel.family,
      address: this.#address.slice(),
      port: this.#port,
      infoHash: new Uint8Array(Buffer.from(channel.infoHash, 'hex')),
      peerId: this.#peerId.slice(),
      key: this.#key,
      uploaded: this.#uploaded - (from?.uploaded ?? 0),
      downloaded: this.#downloaded - (from?.downloaded ?? 0),
      left: event === EVENT.completed ? 0 : 1000,
      memberId: this.memberId,
    };
    this.#sent.push(request);
    this.#world.send(request, onAnswer);
  }
}

function never(): Promise<never> {
  return new Promise(() => undefined);
}
