// A log behind a connection: the Log interface over the protocol of docs/log-protocol.md, on any
// stream. Records and gaps of an answer are taken off the wire whole before they are handed out.
// How errors, repetitions and reconnections behave stands in docs/log-client.md.

import type { Clock } from '#base/clock.ts';
import type { Logger } from '#base/logger.ts';
import type { Random } from '#base/random.ts';
import { LogError } from '#log/errors.ts';
import type {
  Appended,
  AppendOptions,
  Log,
  LogGap,
  LogRecord,
  ReadFrom,
  ReadOptions,
  ReadRecord,
  ReadResult,
  TopicOptions,
  TopicStats,
} from '#log/log.ts';
import { gapReason, isBatchIntact, readBatchHeader, readRecords } from '#log/segment/batch.ts';
import type { PackedRecords } from '#log/segment/packed-records.ts';
import { fromWord, parseCount, type ServerLimits, topicOptionWords } from '#log/server/protocol.ts';
import { topicRulesOf } from '#log/topic/topic-rules.ts';
import type { ByteStream } from '#net/byte-stream.ts';
import { ClientAppends } from './client-appends.ts';
import { Link } from './client-link.ts';

/** A name is checked by the server; what could not even be a word is refused here. */
const WORD = /^[\x21-\x7e]{1,200}$/;

export interface RemoteLogOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Opens a new stream to the server. Rejects with the signal's reason. */
  readonly dial: (signal: AbortSignal) => Promise<ByteStream>;
  /** As the server has it, at least 16 bytes. */
  readonly secret?: Uint8Array;
  /** Appends carry a producer's stamp and are repeated after a lost answer. Default true. */
  readonly isIdempotent?: boolean;
  /** Dialling, secret and limits of one attempt. Default 5 s. */
  readonly connectMs?: number;
  /** From a request to its answer. Default 30 s. */
  readonly requestMs?: number;
  /** How long a request waits for a connection. Default 30 s. */
  readonly giveUpMs?: number;
  /** Between attempts; doubles up to the maximum. Default 50 ms and 5 s. */
  readonly backoffMsMin?: number;
  readonly backoffMsMax?: number;
  /** Bytes of records that may be unanswered. Default 32 MiB; LOG_QUEUE_FULL beyond. */
  readonly unansweredBytesMax?: number;
  /** For who shows it to somebody; calls wait for the connection by themselves. */
  readonly onConnected?: () => void;
  readonly onDisconnected?: (error: Error) => void;
}

export class RemoteLog implements Log {
  readonly #link: Link;
  readonly #appends: ClientAppends;
  readonly #clock: Clock;
  readonly #id: string;
  readonly #epoch: number;
  #limits: ServerLimits;
  /** Of the last append, known to be a name. */
  #lastTopic: string | undefined;
  #closing: Promise<void> | undefined;

  private constructor(
    parts: { readonly link: Link; readonly appends: ClientAppends; readonly clock: Clock },
    limits: ServerLimits,
  ) {
    this.#link = parts.link;
    this.#appends = parts.appends;
    this.#clock = parts.clock;
    this.#limits = limits;
    this.#id = limits.id;
    this.#epoch = limits.epoch;
  }

  /**
   * Resolves when the server has told its limits. The signal ends the attempts.
   * @throws LogError LOG_UNREACHABLE, LOG_AUTH_FAILED, LOG_PROTOCOL; the signal's reason
   */
  static async connect(options: RemoteLogOptions, signal?: AbortSignal): Promise<RemoteLog> {
    let log: RemoteLog | undefined;
    const link = new Link({
      dial: options.dial,
      clock: options.clock,
      random: options.random,
      logger: options.logger,
      ...(options.secret === undefined ? undefined : { secret: options.secret }),
      connectMs: options.connectMs ?? 5_000,
      requestMs: options.requestMs ?? 30_000,
      giveUpMs: options.giveUpMs ?? 30_000,
      backoffMsMin: options.backoffMsMin ?? 50,
      backoffMsMax: options.backoffMsMax ?? 5_000,
      onConnected: (limits) => {
        if (log !== undefined) log.#limits = limits;
        options.onConnected?.();
      },
      onDisconnected: (error) => options.onDisconnected?.(error),
    });
    const appends = new ClientAppends({
      link,
      random: options.random,
      isIdempotent: options.isIdempotent ?? true,
      unansweredBytesMax: options.unansweredBytesMax ?? 32 * 1024 * 1024,
    });
    const limits = await link.open(signal);
    log = new RemoteLog({ link, appends, clock: options.clock }, limits);
    return log;
  }

  /** The first connection's; the server behind the URL may be another after a reconnection. */
  get id(): string {
    return this.#id;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** What the server told when the connection began. */
  get limits(): ServerLimits {
    return this.#limits;
  }

  get isConnected(): boolean {
    return this.#link.isConnected;
  }

  /** Bytes of records that were not answered yet. */
  get unansweredBytes(): number {
    return this.#appends.unansweredBytes;
  }

  async createTopic(topic: string, options: TopicOptions = {}): Promise<void> {
    // What is no number could not even be sent.
    topicRulesOf(topic, options);
    await this.#ask('CREATE', [nameWord(topic), ...topicOptionWords(options)]);
  }

  async topics(): Promise<readonly TopicStats[]> {
    const [text = ''] = await this.#ask('TOPICS', []);
    return (parseJson(text) as { topics?: readonly TopicStats[] }).topics ?? [];
  }

  async stats(topic: string): Promise<TopicStats> {
    const [text = ''] = await this.#ask('STATS', [nameWord(topic)]);
    return parseJson(text) as TopicStats;
  }

  /** Everything the server tells about itself and its topics. */
  async serverStats(): Promise<unknown> {
    const [text = ''] = await this.#ask('STATS', []);
    return parseJson(text);
  }

  append(
    topic: string,
    records: readonly LogRecord[] | PackedRecords,
    options?: AppendOptions,
  ): Promise<Appended> {
    if (this.#closing !== undefined) return Promise.reject(closed());
    if (topic !== this.#lastTopic) {
      if (!WORD.test(topic)) return Promise.reject(unknownTopic(topic));
      this.#lastTopic = topic;
    }
    return this.#appends.append(topic, records, this.#limits, options);
  }

  async read(topic: string, options: ReadOptions): Promise<ReadResult> {
    const { signal, waitMs = 0 } = options;
    const { readRecordsMax, waitMsMax } = this.#limits;
    const recordsMax = Math.max(1, Math.min(options.recordsMax ?? readRecordsMax, readRecordsMax));
    const deadlineMs = this.#clock.monotonicMs() + waitMs;
    let from = options.from;
    for (;;) {
      signal?.throwIfAborted();
      const leftMs = Math.max(0, Math.ceil(deadlineMs - this.#clock.monotonicMs()));
      const ask = {
        topic,
        from,
        recordsMax,
        bytesMax: options.bytesMax ?? 0,
        waitMs: Math.min(leftMs, waitMsMax),
      };
      const answer = await this.#readOnce(ask, signal);
      const result = decode(answer, { from, recordsMax });
      const isEmpty = result.records.length === 0 && result.gaps.length === 0;
      const isLate = this.#clock.monotonicMs() >= deadlineMs;
      // Empty although time is left: the server waits no longer than it told, or skipped a hole.
      if (!isEmpty || (isLate && answer.parts.length === 0)) return result;
      from = result.nextOffset;
    }
  }

  async position(topic: string, consumer: string): Promise<number | undefined> {
    const [word] = await this.#ask('POSITION', [nameWord(topic), nameWord(consumer)]);
    return parseCount(word);
  }

  async commit(topic: string, consumer: string, offset: number): Promise<void> {
    if (!Number.isSafeInteger(offset) || offset < 0) {
      throw new LogError('LOG_OFFSET_BEYOND_END', `Cannot commit offset ${offset}`);
    }
    await this.#ask('COMMIT', [nameWord(topic), nameWord(consumer), String(offset)]);
  }

  /** Answers what is on its way; reads that wait end with LOG_CLOSED. The server stays. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** At once: what is not answered ends with LOG_CLOSED, written or not. */
  destroy(): void {
    this.#closing ??= Promise.resolve();
    for (const end of [...this.#reading]) end(closed());
    this.#link.destroy();
  }

  readonly #reading = new Set<(error: unknown) => void>();

  async #close(): Promise<void> {
    // Appends of this very turn have not reached the link yet.
    await null;
    for (const end of [...this.#reading]) end(closed());
    await this.#link.close();
  }

  #ask(command: string, words: readonly string[]): Promise<readonly string[]> {
    if (this.#closing !== undefined) return Promise.reject(closed());
    return new Promise((resolve, reject) => {
      this.#link.send({
        command,
        rest: words.map((word) => ` ${word}`).join(''),
        canRepeat: true,
        waitMs: 0,
        onAnswer: resolve,
        onError: reject,
      });
    });
  }

  #readOnce(ask: ReadAsk, signal: AbortSignal | undefined): Promise<ReadAnswer> {
    if (this.#closing !== undefined) return Promise.reject(closed());
    const { topic, from, recordsMax, bytesMax, waitMs } = ask;
    const fromText = fromWord(from, topic);
    return new Promise((resolve, reject) => {
      const parts: Uint8Array[] = [];
      const done = (): void => {
        signal?.removeEventListener('abort', abort);
        this.#reading.delete(end);
      };
      const end = (error: unknown): void => {
        done();
        this.#link.cancel(id);
        this.#link.forget(id);
        reject(error);
      };
      const abort = (): void => end(signal?.reason);
      const id = this.#link.send({
        command: 'READ',
        rest: ` ${nameWord(topic)} ${fromText} ${recordsMax} ${bytesMax} ${waitMs}`,
        canRepeat: true,
        waitMs,
        onData: (bytes) => parts.push(bytes),
        onRepeat: () => {
          parts.length = 0;
        },
        onAnswer: (words) => {
          done();
          const nextOffset = parseCount(words[0]);
          if (nextOffset === undefined) reject(damaged());
          else resolve({ parts, nextOffset });
        },
        onError: (error) => {
          done();
          reject(error);
        },
      });
      signal?.addEventListener('abort', abort, { once: true });
      this.#reading.add(end);
    });
  }
}

interface ReadAsk {
  readonly topic: string;
  readonly from: ReadFrom;
  readonly recordsMax: number;
  readonly bytesMax: number;
  readonly waitMs: number;
}

interface ReadAnswer {
  readonly parts: readonly Uint8Array[];
  readonly nextOffset: number;
}

/** @throws LogError LOG_PROTOCOL when the bytes are not batches, or were damaged on their way */
function decode(
  answer: ReadAnswer,
  ask: { readonly from: ReadFrom; readonly recordsMax: number },
): ReadResult {
  const { recordsMax } = ask;
  const from = typeof ask.from === 'number' ? ask.from : 0;
  const records: ReadRecord[] = [];
  const gaps: LogGap[] = [];
  for (const part of answer.parts) {
    for (let at = 0; at < part.byteLength; ) {
      const header = readBatchHeader(part, at);
      if (header === undefined || at + header.length > part.byteLength) throw damaged();
      if (!isBatchIntact(part, at, header)) throw damaged();
      const batch = part.subarray(at, at + header.length);
      at += header.length;
      if (header.isGap) {
        const first = Math.max(from, header.firstOffset);
        addGap(gaps, {
          first,
          next: header.firstOffset + header.span,
          reason: gapReason(batch, header),
        });
        continue;
      }
      if (!readRecords(batch, header, { from, recordsMax }, records)) throw damaged();
      const last = records.at(-1);
      if (records.length >= recordsMax && last !== undefined) {
        return { records, gaps, nextOffset: last.offset + 1 };
      }
    }
  }
  return { records, gaps, nextOffset: answer.nextOffset };
}

function addGap(gaps: LogGap[], gap: LogGap): void {
  const last = gaps.at(-1);
  if (last !== undefined && last.next === gap.first && last.reason === gap.reason) {
    gaps[gaps.length - 1] = { ...last, next: gap.next };
  } else {
    gaps.push(gap);
  }
}

/** @throws LogError LOG_PROTOCOL */
function parseJson(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Told below, like any other answer that is none.
  }
  throw new LogError('LOG_PROTOCOL', 'Cannot read: the answer is not understood');
}

function damaged(): LogError {
  return new LogError('LOG_PROTOCOL', 'Cannot read: the answer holds no whole batches');
}

/** @throws LogError LOG_TOPIC_NAME_INVALID for what cannot be one word */
function nameWord(name: string): string {
  if (WORD.test(name)) return name;
  throw new LogError('LOG_TOPIC_NAME_INVALID', `Cannot use the name ${JSON.stringify(name)}`);
}

function unknownTopic(topic: string): LogError {
  return new LogError('LOG_TOPIC_NAME_INVALID', `Cannot use the name ${JSON.stringify(topic)}`);
}

function closed(): LogError {
  return new LogError('LOG_CLOSED', 'The connection to the log is closed');
}
