// A world from one seed: simulated clients, a network that delays, doubles, reorders and loses, a
// tracker of one to three threads whose appends fail and that crashes at any moment, over the real
// announcers, swarm, queue, writer and baseline store. Any request may come to any thread. In the end
// each member's credited bytes are the bytes its clients moved.
//
// accounting/ simulates the delta rule and the ledger; this one sees what the tracker adds: waiting
// answers and retransmissions that join them, look-ups of old baselines, two families, both hashes
// of hybrid torrents, repeats, back-pressure, refusals, roll-back inside the swarm.
//
// What a client does: it says `started` by each of its channels until it is answered, moves bytes
// only after that, says `stopped` by each until it is answered, and only then begins a new session,
// with the same or a new peer id, the same or a new key. One that is killed says nothing more; of
// its last bytes the tracker may know fewer, never more.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BaselineStore } from '#accounting/baseline-store.ts';
import { accountingConfig } from '#accounting/config.ts';
import { decodeTransfer, RECORD_FLAG, TRANSFERS_TOPIC } from '#accounting/transfer-record.ts';
import { CodedError } from '#base/errors.ts';
import { silentLogger } from '#base/logger.ts';
import { below, SeededRandom } from '#base/random.ts';
import type { Appended, Log, LogRecord } from '#log/log.ts';
import { SimClock } from '#sim/clock.ts';
import { SimDisk } from '#sim/disk.ts';
import { MemoryLog } from '#sim/memory-log.ts';
import { testSeed } from '#sim/seed.ts';
import { memberMessage, torrentMessage } from '#sim/test-tracker.ts';
import { TrackerProcess } from '#sim/tracker-process.ts';
import { type AnnounceRequest, DOOR, EVENT } from '#swarm/announce-slot.ts';
import { swarmConfig } from '#swarm/config.ts';
import { newAnnounceRequest, type Parked } from './waiting.ts';

const SEEDS = 250;
const PLAIN_HASH = '00112233445566778899aabbccddeeff01234567';
const HYBRID_V1 = 'aa112233445566778899aabbccddeeff01234567';
const HYBRID_V2 = 'bb112233445566778899aabbccddeeff01234567';
const MEMBERS = 2;
const KNOWN = [
  ...Array.from({ length: MEMBERS }, (_, at) => memberMessage(at + 1, `key-${at + 1}`)),
  torrentMessage(1, PLAIN_HASH),
  torrentMessage(2, HYBRID_V1, { infoHashV2: HYBRID_V2 }),
];
/** A request or answer takes up to this; a doubled one comes up to as much later again. */
const DELAY_MS_MAX = 2000;
const RETRY_MS = 5000;
const ACCOUNTING = accountingConfig.parse({ batchRecordsMax: 3, recordsPendingMax: 6 });
const SWARM = swarmConfig.parse({
  peersMax: 256,
  torrentsMax: 64,
  membersMax: 64,
  shards: 2,
  // Killed clients that come back under a new id must not be refused for their old one.
  peersPerMemberTorrentMax: 12,
  // Short, so that silent baselines move to the store and are looked up again.
  peerAgeMsMax: 2_700_000,
  baselineSilentMs: 60_000,
});

/** What happened over all seeds: a world in which nothing goes wrong proves nothing. */
const sums = { records: 0, crashes: 0, lost: 0, dropped: 0, resets: 0, late: 0, sessions: 0 };

test('what members are credited is what their clients moved, whatever fails', async (context) => {
  const first = testSeed(context, 1);
  const count = process.env['SWARMKEEP_SEED'] === undefined ? SEEDS : 1;
  for (let seed = first; seed < first + count; seed++) {
    try {
      const world = new World(seed);
      await world.run();
      world.check();
    } catch (error) {
      throw new Error(`seed ${seed}: replay with SWARMKEEP_SEED=${seed}`, { cause: error });
    }
  }
  context.diagnostic(JSON.stringify(sums));
  if (count > 1) for (const [name, sum] of Object.entries(sums)) assert.ok(sum > 50, name);
});

type Answer = 'answered' | 'refused' | 'dropped';

class World {
  readonly clock = new SimClock();
  readonly random: SeededRandom;
  readonly log = new MemoryLog();
  readonly clients: Client[] = [];
  readonly #disk: SimDisk;
  #process: TrackerProcess | undefined;
  #running = 0;
  #failing = true;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    this.#disk = new SimDisk({ random: new SeededRandom(seed, 1) });
  }

  async run(): Promise<void> {
    await this.log.createTopic(TRANSFERS_TOPIC);
    await this.#boot();
    const count = 2 + below(this.random, 4);
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

  /** Each member's credited sum against what its clients moved, and the chain of each baseline. */
  check(): void {
    const credited = new Map<number, number>();
    const chains = new Map<string, { sequence: number; uploaded: number; downloaded: number }>();
    for (const { value } of this.log.recordsOf(TRANSFERS_TOPIC)) {
      const record = decodeTransfer(value);
      assert.ok(record !== undefined, 'every record is valid');
      const { memberId, torrentId, uploadedDelta, downloadedDelta } = record;
      credited.set(memberId, (credited.get(memberId) ?? 0) + uploadedDelta + downloadedDelta);
      const key = `${memberId}:${torrentId}:${Buffer.from(record.peerId).toString('latin1')}`;
      const before = chains.get(key);
      const isFirst = (record.flags & RECORD_FLAG.first) !== 0;
      const isReset = (record.flags & RECORD_FLAG.reset) !== 0;
      assert.equal(isFirst, before === undefined, 'a baseline is founded once');
      assert.equal(record.sequence, (before?.sequence ?? 0) + 1, 'no gap and no repeat');
      if (!isFirst && !isReset) {
        assert.equal(record.uploaded - uploadedDelta, before?.uploaded, 'the chain holds');
        assert.equal(record.downloaded - downloadedDelta, before?.downloaded, 'the chain holds');
      }
      chains.set(key, record);
      sums.records++;
      if (isReset) sums.resets++;
      if ((record.flags & RECORD_FLAG.late) !== 0) sums.late++;
    }
    for (let memberId = 1; memberId <= MEMBERS; memberId++) {
      const own = this.clients.filter((client) => client.memberId === memberId);
      const sure = own.reduce((sum, client) => sum + client.sureBytes, 0);
      const most = own.reduce((sum, client) => sum + client.movedBytes, 0);
      const sum = credited.get(memberId) ?? 0;
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
    const append = async (topic: string, records: readonly LogRecord[]): Promise<Appended> => {
      const copies = records.map(({ value }) => ({ value: value.slice() }));
      await new Promise<void>((resolve) => this.clock.after(below(this.random, 400), resolve));
      if (this.#failing && below(this.random, 12) === 0 && !life.isDead) {
        sums.lost++;
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
        sums.dropped++;
        answer('dropped');
      },
    });
    const key = { passkey, passkeyBytes: passkey.byteLength };
    const { threads } = process;
    const thread = threads[below(this.random, threads.length)]!;
    const verdict = thread.announcer.announce(copy, key, park);
    if (verdict === 'answer') answer('answered');
    else if (verdict === 'refuse') answer('refused');
    else if (verdict === 'drop') sums.dropped++;
  }

  #planCrash(): void {
    this.clock.after(20_000 + below(this.random, 3_000_000), () => {
      if (!this.#failing) return;
      const process = this.#process;
      if (process !== undefined) {
        process.life.isDead = true;
        this.#process = undefined;
        sums.crashes++;
        this.clock.after(1000 + below(this.random, 30_000), () => void this.#boot());
      }
      this.#planCrash();
    });
  }

  async #boot(): Promise<void> {
    const store = await BaselineStore.open({
      disk: this.#disk,
      folder: '/baselines',
      log: this.log,
      clock: this.clock,
      logger: silentLogger,
      config: ACCOUNTING,
    });
    const life = { isDead: false };
    this.#process = new TrackerProcess({
      clock: this.clock,
      random: this.random,
      threads: 1 + below(this.random, 3),
      life,
      store,
      log: this.logOf(life),
      swarm: SWARM,
      accounting: ACCOUNTING,
      known: KNOWN,
      waitingMax: 3,
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
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #channels: readonly Channel[];
  readonly #address: Uint8Array = new Uint8Array(16);
  readonly #port: number;
  #peerId: Uint8Array;
  #key: number;
  #uploaded = 0;
  #downloaded = 0;
  #sessionsLeft: number;
  #done: () => void = () => undefined;

  constructor(world: World, index: number) {
    this.#world = world;
    this.#random = new SeededRandom(world.random.u32());
    this.memberId = 1 + (index % MEMBERS);
    this.#address.set([10, 0, 0, index + 1]);
    this.#port = 7000 + index;
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
    const hashes = below(this.#random, 2) === 0 ? [PLAIN_HASH] : [HYBRID_V1, HYBRID_V2];
    const families = below(this.#random, 2) === 0 ? ([4] as const) : ([4, 6] as const);
    const door = below(this.#random, 2) === 0 ? DOOR.udp : DOOR.http;
    return hashes.flatMap((infoHash) => families.map((family) => ({ infoHash, family, door })));
  }

  #start(): void {
    sums.sessions++;
    this.#uploaded = 0;
    this.#downloaded = 0;
    const announcesLeft = 1 + below(this.#random, 5);
    this.#everywhere(EVENT.started, () => this.#seed(announcesLeft));
  }

  /** Moves bytes and announces them, until it stops, or is killed. */
  #seed(announcesLeft: number): void {
    // Nothing of the starts may still be on its way when counters grow.
    const pauseMs = 3 * DELAY_MS_MAX + below(this.#random, 1_800_000);
    this.#world.clock.after(pauseMs, () => {
      this.#move();
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

  #event(): AnnounceRequest['event'] {
    const draw = below(this.#random, 8);
    return draw === 0 ? EVENT.completed : draw === 1 ? EVENT.paused : EVENT.none;
  }

  #end(): void {
    const moved = this.#uploaded + this.#downloaded;
    if (below(this.#random, 6) === 0) {
      // Killed: what was not announced yet is not the tracker's to know.
      this.movedBytes += moved;
      this.#next();
      return;
    }
    this.#everywhere(EVENT.stopped, () => {
      this.movedBytes += moved;
      this.sureBytes += moved;
      this.#next();
    });
  }

  #next(): void {
    if (this.#sessionsLeft-- === 0) {
      this.#done();
      return;
    }
    if (below(this.#random, 3) === 0) this.#peerId = this.#random.bytes(20);
    if (below(this.#random, 2) === 0) this.#key = this.#random.u32();
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
      uploaded: this.#uploaded,
      downloaded: this.#downloaded,
      left: event === EVENT.completed ? 0 : 1000,
      memberId: this.memberId,
    };
    this.#world.send(request, onAnswer);
  }
}

function never(): Promise<never> {
  return new Promise(() => undefined);
}
