// The scrub: reads every segment through, of the one that is being written what is on disk, slowly and
// again and again, so that bytes that rotted are found while there is another copy to mend them from, and
// not by whoever needs them. It takes files of its own and no lock: readers and the writer never wait for
// it but at the disk. What it finds is set aside and reported once, as by a read; nothing is written into
// a segment.
//
// `scrubBytesPerSecond` holds for what is read from the disk; a new pass begins `scrubEveryMs`
// after the one before it began, or at once when that one took longer. A pass goes as far as the segment
// that was written when it began, or went on: one that followed a log which grows faster would never end.

import type { Clock } from '#base/clock.ts';
import { sleep } from '#base/clock.ts';
import type { Disk, DiskFile } from '#base/disk.ts';
import { codeOf, messageOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import type { LogConfig } from '#log/config.ts';
import { readJson, writeJson } from '#log/descriptions.ts';
import type { ScrubStats } from '#log/log.ts';
import type { LogMetrics } from '#log/log-metrics.ts';
import { readRecords } from '#log/segment/batch.ts';
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES, type Segment } from '#log/segment/segment.ts';
import { SegmentScanner } from '#log/segment/segment-scanner.ts';
import type { TopicState } from '#log/topic/topic-state.ts';
import { type DamageReports, placeKey } from './damage-reports.ts';
import type { ScrubPass } from './scrub-state.ts';
import { type FinishedPass, FOUND_MAX, newPass, SCRUB_FILE, scrubFile } from './scrub-state.ts';

const VERSION = 1;
/** After the start, so that the first minute belongs to whoever waits for the log. */
const FIRST_REST_MS = 30_000;
const REST_MS_MIN = 60_000;
const REST_MS_MAX = 3_600_000;
const SAVE_EVERY_MS = 10_000;
const WINDOW_BYTES_MIN = 4096;
const WINDOW_BYTES_MAX = 256 * 1024;
/** How far it may run ahead to make up for timers that came late. */
const CATCH_UP_MS = 250;

export interface ScrubTopic {
  readonly state: TopicState;
  readonly damage: DamageReports;
}

export interface ScrubWorld {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: LogMetrics;
  readonly config: LogConfig;
  /** The log's. */
  readonly folder: string;
  topics(): Iterable<ScrubTopic>;
  onFatal(error: unknown): void;
}

interface Place {
  readonly topic: ScrubTopic;
  readonly segment: Segment;
  /** Where the next segment begins, or what is on disk ends: this one's offsets end there. */
  readonly nextOffset: number;
  /** Nothing is read beyond. */
  readonly end: number;
}

export class Scrub {
  readonly #world: ScrubWorld;
  readonly #ending = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #pass: ScrubPass | undefined;
  #last: FinishedPass | undefined;
  /** By topic: the offset behind what was on disk when this process began, or went on with, the pass. */
  #until: ReadonlyMap<string, number> = new Map();
  #savedMs = 0;
  /** When the next read may begin, in monotonic milliseconds. */
  #dueMs = 0;

  private constructor(world: ScrubWorld) {
    this.#world = world;
  }

  /** Begins where the last process ended. The topics are open. */
  static async start(world: ScrubWorld): Promise<Scrub> {
    const scrub = new Scrub(world);
    await scrub.#load();
    if (world.config.scrubBytesPerSecond > 0) scrub.#running = scrub.#run();
    return scrub;
  }

  /** Of the last whole pass; undefined before the first has ended. */
  statsOf(topic: string): ScrubStats | undefined {
    const last = this.#last;
    if (last === undefined) return undefined;
    const { finishedMs, bytes, segments, found } = last;
    const damage = found.filter((place) => place.startsWith(`${topic}/`)).length;
    return { finishedMs, bytes, segments, damage };
  }

  /** Stops between two reads and writes down where. Idempotent. */
  async close(): Promise<void> {
    this.#ending.abort();
    await this.#running;
  }

  async #load(): Promise<void> {
    const { disk, folder, logger, metrics } = this.#world;
    try {
      const found = await readJson(disk, `${folder}/${SCRUB_FILE}`, scrubFile);
      this.#pass = found?.pass;
      this.#last = found?.last;
    } catch (error) {
      logger.warn('Cannot read where the scrub stood; it begins again', {
        error: messageOf(error),
      });
    }
    if (this.#last !== undefined) metrics.scrubbed.set(this.#last.finishedMs / 1000);
    const known = [...(this.#last?.found ?? []), ...(this.#pass?.found ?? [])];
    for (const { state, damage } of this.#world.topics()) {
      const own = `${state.name}/`;
      for (const place of known) if (place.startsWith(own)) damage.know(place.slice(own.length));
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending;
    const { clock } = this.#world;
    try {
      for (let restMs = FIRST_REST_MS; ; restMs = this.#restMs()) {
        await sleep(clock, restMs, signal);
        if (this.#isDue()) await this.#wholePass();
      }
    } catch (error) {
      if (!signal.aborted) this.#world.onFatal(error);
      else if (this.#pass !== undefined) await this.#save();
    }
  }

  #isDue(): boolean {
    if (this.#pass !== undefined || this.#last === undefined) return true;
    const ageMs = this.#world.clock.nowMs() - this.#last.startedMs;
    // A wall clock that was set back is no reason to wait for years.
    return ageMs >= this.#world.config.scrubEveryMs || ageMs < 0;
  }

  #restMs(): number {
    const { clock, config } = this.#world;
    const dueMs = (this.#last?.startedMs ?? 0) + config.scrubEveryMs - clock.nowMs();
    return Math.min(REST_MS_MAX, Math.max(REST_MS_MIN, dueMs));
  }

  async #wholePass(): Promise<void> {
    const { clock, metrics } = this.#world;
    const pass = this.#pass ?? newPass(clock.nowMs());
    const topics = [...this.#world.topics()];
    this.#until = new Map(topics.map(({ state }) => [state.name, state.durableOffset]));
    for (let place = this.#next(pass); place !== undefined; place = this.#next(pass)) {
      this.#pass = pass;
      await this.#segment(pass, place);
      pass.segments++;
      metrics.scrubSegments.add(1);
      pass.segment = place.segment.firstOffset + 1;
      pass.position = 0;
      if (clock.monotonicMs() - this.#savedMs >= SAVE_EVERY_MS) await this.#save();
    }
    // Of a log without any segment there is nothing to write down.
    if (this.#pass === undefined) return;
    const { startedMs, bytes, segments, found } = pass;
    this.#last = { startedMs, finishedMs: clock.nowMs(), bytes, segments, found };
    this.#pass = undefined;
    metrics.scrubbed.set(this.#last.finishedMs / 1000);
    this.#world.logger.info('The scrub has read every segment', {
      bytes,
      segments,
      damage: found.length,
    });
    await this.#save();
  }

  /** The first segment at or after where the pass stands; it is moved there. */
  #next(pass: ScrubPass): Place | undefined {
    const topics = [...this.#world.topics()].sort((a, b) => (a.state.name < b.state.name ? -1 : 1));
    for (const topic of topics) {
      const { name, segments } = topic.state;
      if (name < pass.topic) continue;
      if (name > pass.topic) {
        pass.topic = name;
        pass.segment = 0;
        pass.position = 0;
      }
      for (const [nth, segment] of segments.entries()) {
        const next = segments[nth + 1];
        if (segment.firstOffset < pass.segment) continue;
        if (segment.firstOffset > (this.#until.get(name) ?? -1)) break;
        // Where segments are written anew, a place of an earlier process means nothing.
        const isMoved = topic.state.rules.compact === true || topic.state.rules.codec !== undefined;
        if (segment.firstOffset > pass.segment || isMoved) pass.position = 0;
        pass.segment = segment.firstOffset;
        const { durableOffset } = topic.state;
        const end = segment.durableEnd ?? segment.endPosition;
        return { topic, segment, nextOffset: next?.firstOffset ?? durableOffset, end };
      }
    }
    return undefined;
  }

  async #segment(pass: ScrubPass, place: Place): Promise<void> {
    const { segment, topic } = place;
    let file: DiskFile | undefined;
    try {
      file = await this.#world.disk.open(segment.path, { write: false });
      await this.#read(pass, place, file);
    } catch (error) {
      if (codeOf(error) === undefined || this.#ending.signal.aborted) throw error;
      // Retention took it away meanwhile.
      if (!topic.state.holds(segment)) return;
      const message = 'The scrub cannot read a segment; the rest of it was not looked at';
      const { position } = pass;
      if (file === undefined) this.#world.logger.error(message, { error: messageOf(error) });
      else await this.#found(pass, place, { position, end: position, file, message });
    } finally {
      await file?.close();
    }
  }

  async #read(pass: ScrubPass, place: Place, file: DiskFile): Promise<void> {
    const { segment, nextOffset, end: placeEnd } = place;
    const paced = this.#paced(file);
    if (pass.position === 0) {
      pass.offset = segment.firstOffset;
      await this.#header(pass, place, file);
      pass.position = SEGMENT_HEADER_BYTES;
    }
    const begun = { position: pass.position, offset: pass.offset, end: placeEnd };
    const scanner = new SegmentScanner({
      ...begun,
      file: paced,
      padding: true,
      windowBytes: this.#windowBytes,
    });
    let isAfterDamage = false;
    for (;;) {
      const item = await scanner.next();
      if (item === undefined) break;
      if (item.kind === 'bad') {
        isAfterDamage = true;
        const { position, end } = item;
        if (item.isZeros && end === placeEnd) continue;
        const message = 'The scrub found damage; readers are given a gap';
        await this.#found(pass, place, { position, end, file, message });
        continue;
      }
      const { header, bytes, position } = item;
      const end = position + header.length;
      const from = header.firstOffset;
      if (from > pass.offset && !isAfterDamage) await this.#missing(pass, place, file, position);
      const all = { from, recordsMax: header.records };
      if (!header.isGap && !readRecords(bytes, header, all, [])) {
        const message = 'The scrub found a batch whose records do not fill it';
        await this.#found(pass, place, { position, end, file, message });
      }
      if (!item.isPadded) {
        const message = 'The scrub found damage in the zeros after a batch; no record is harmed';
        await this.#found(pass, place, { position: end, end: scanner.position, file, message });
      }
      isAfterDamage = false;
      pass.bytes += scanner.position - pass.position;
      pass.position = scanner.position;
      pass.offset = scanner.offset;
      if (this.#world.clock.monotonicMs() - this.#savedMs >= SAVE_EVERY_MS) await this.#save();
    }
    // What stands after the last good batch and was not damage has to be nothing.
    if (pass.offset < nextOffset && !this.#isFoundAfter(pass, place)) {
      await this.#missing(pass, place, file, pass.position);
    }
    pass.bytes += Math.max(0, placeEnd - pass.position);
  }

  async #header(pass: ScrubPass, place: Place, file: DiskFile): Promise<void> {
    const { segment } = place;
    const bytes = new Uint8Array(SEGMENT_HEADER_BYTES);
    const count = await file.read(bytes, 0);
    const read = decodeSegmentHeader(bytes.subarray(0, count));
    pass.bytes += SEGMENT_HEADER_BYTES;
    if (read.kind === 'good' && read.header.firstOffset === segment.firstOffset) return;
    const message = 'The scrub found a damaged segment header; its batches are read all the same';
    await this.#found(pass, place, { position: 0, end: SEGMENT_HEADER_BYTES, file, message });
  }

  async #missing(pass: ScrubPass, place: Place, file: DiskFile, position: number): Promise<void> {
    const message = 'The scrub found that records are missing; readers are given a gap';
    await this.#found(pass, place, { position, end: position, file, message });
  }

  /** Damage from where the last good batch ended accounts for what is missing there. */
  #isFoundAfter(pass: ScrubPass, { topic, segment }: Place): boolean {
    return pass.found.includes(foundKey(topic, segment, pass.position));
  }

  async #found(
    pass: ScrubPass,
    { topic, segment }: Place,
    range: { position: number; end: number; file: DiskFile; message: string },
  ): Promise<void> {
    if (!topic.state.holds(segment)) return;
    const key = foundKey(topic, segment, range.position);
    if (pass.found.includes(key)) return;
    const isNew = await topic.damage.report({ segment, ...range });
    if (pass.found.length < FOUND_MAX) pass.found.push(key);
    if (!isNew) return;
    this.#world.metrics.scrubDamage.add(1);
    await this.#save();
  }

  get #windowBytes(): number {
    const quarter = Math.floor(this.#world.config.scrubBytesPerSecond / 4);
    return Math.min(WINDOW_BYTES_MAX, Math.max(WINDOW_BYTES_MIN, quarter));
  }

  #paced(file: DiskFile): Pick<DiskFile, 'read'> {
    const { clock, config, metrics } = this.#world;
    const { signal } = this.#ending;
    return {
      read: async (into, position) => {
        signal.throwIfAborted();
        const restMs = this.#dueMs - clock.monotonicMs();
        if (restMs > 0) await sleep(clock, restMs, signal);
        const count = await file.read(into, position);
        const fromMs = Math.max(this.#dueMs, clock.monotonicMs() - CATCH_UP_MS);
        this.#dueMs = fromMs + (count * 1000) / config.scrubBytesPerSecond;
        metrics.scrubBytes.add(count);
        return count;
      },
    };
  }

  async #save(): Promise<void> {
    const { disk, folder, logger, clock } = this.#world;
    this.#savedMs = clock.monotonicMs();
    const value = {
      version: VERSION,
      ...(this.#pass === undefined ? undefined : { pass: this.#pass }),
      ...(this.#last === undefined ? undefined : { last: this.#last }),
    };
    try {
      await writeJson(disk, { folder, name: SCRUB_FILE }, value);
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      logger.warn('Cannot write where the scrub stands', { error: messageOf(error) });
    }
  }
}

function foundKey(topic: ScrubTopic, segment: Segment, position: number): string {
  return `${topic.state.name}/${placeKey(segment.firstOffset, position)}`;
}
