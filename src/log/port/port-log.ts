// The log for another thread: PortLog speaks through a MessagePort to `servePortLog` beside the real
// one. Errors keep their codes. What is in flight is bounded by `portRequestsMax` and `portBytesMax`,
// and refused beyond with LOG_QUEUE_FULL. When either end goes away, the other lets go at once.

import type { MessagePort } from 'node:worker_threads';
import type { BatchLog, BatchRead } from '#log/batch-log.ts';
import { type LogConfig, logConfig } from '#log/config.ts';
import { LogError } from '#log/errors.ts';
import type {
  Appended,
  AppendOptions,
  CancelSignal,
  LogRecord,
  ReadOptions,
  ReadResult,
  TopicOptions,
  TopicStats,
} from '#log/log.ts';
import type { RewriteOptions, RewriteResult, RewritingLog } from '#log/rewriting-log.ts';
import { PackedRecords, packedBytes } from '#log/segment/packed-records.ts';
import {
  type Call,
  type PackedRead,
  type PortLimits,
  packRead,
  packRefusal,
  type ToClient,
  type ToServer,
  unpackRead,
  unpackRefusal,
} from './port-messages.ts';

export interface PortServer {
  /** Calls in progress are cancelled and the port is closed. The log stays open. Idempotent. */
  close(): void;
}

type ServedLog = RewritingLog & BatchLog;

/** Serves `log` on a port until either end closes it. One port serves one PortLog. */
export function servePortLog(
  port: MessagePort,
  log: ServedLog,
  config: LogConfig = logConfig.parse({}),
): PortServer {
  const running = new Map<number, AbortController>();
  const { batchBytesMax, batchRecordsMax, portRequestsMax, portBytesMax } = config;
  const limits: PortLimits = { batchBytesMax, batchRecordsMax, portRequestsMax, portBytesMax };

  async function run(id: number, call: Call): Promise<void> {
    const abort = new AbortController();
    running.set(id, abort);
    try {
      const value = await perform(log, call, abort.signal);
      send(port, { kind: 'answer', id, value });
    } catch (error) {
      const isCancelled = abort.signal.aborted && error === abort.signal.reason;
      send(port, { kind: 'refusal', id, refusal: packRefusal(error, isCancelled) });
    } finally {
      running.delete(id);
    }
  }

  port.on('message', (message: ToServer) => {
    if (message.kind === 'call') void run(message.id, message.call);
    else if (message.kind === 'cancel') running.get(message.id)?.abort();
    else send(port, { kind: 'hello', id: log.id, epoch: log.epoch, limits });
  });
  port.on('close', () => {
    for (const abort of running.values()) abort.abort();
  });
  return { close: () => port.close() };
}

async function perform(log: ServedLog, call: Call, signal: AbortSignal): Promise<unknown> {
  switch (call.method) {
    case 'append': {
      const { topic, count, body, consistency, producer } = call;
      const options = {
        signal,
        ...(consistency === undefined ? undefined : { consistency }),
        ...(producer === undefined ? undefined : { producer }),
      };
      return log.append(topic, new PackedRecords(count, body), options);
    }
    case 'readBatches':
      return log.readBatches(call.topic, readOptions(call, signal));
    case 'read': {
      const result = await log.read(call.topic, readOptions(call, signal));
      const { records, nextOffset, gaps } = result;
      const packed: PackedRead = {
        count: records.length,
        bytes: packRead(records),
        nextOffset,
        gaps,
      };
      return packed;
    }
    case 'createTopic':
      return log.createTopic(call.topic, call.options);
    case 'topics':
      return log.topics();
    case 'stats':
      return log.stats(call.topic);
    case 'position':
      return log.position(call.topic, call.consumer);
    case 'commit':
      return log.commit(call.topic, call.consumer, call.offset);
    case 'rewriteSegment':
      return log.rewriteSegment(call.topic, { ...call.options, signal });
  }
}

function readOptions(
  { from, recordsMax, bytesMax, waitMs }: Call & { readonly method: 'read' | 'readBatches' },
  signal: AbortSignal,
): ReadOptions {
  return {
    from,
    signal,
    ...(recordsMax === undefined ? undefined : { recordsMax }),
    ...(bytesMax === undefined ? undefined : { bytesMax }),
    ...(waitMs === undefined ? undefined : { waitMs }),
  };
}

function send(port: MessagePort, message: ToClient): void {
  // The bytes of a read move; everything else is small.
  port.postMessage(message, message.kind === 'answer' ? memoryOf(message.value) : []);
}

/** Of an answer to `read` or `readBatches`, whose bytes are the caller's to keep. */
function memoryOf(value: unknown): ArrayBuffer[] {
  if (typeof value !== 'object' || value === null) return [];
  const parts = 'batches' in value ? value.batches : 'bytes' in value ? [value.bytes] : [];
  const memory = new Set<ArrayBuffer>();
  for (const part of parts as readonly unknown[]) {
    if (part instanceof Uint8Array && part.buffer instanceof ArrayBuffer) memory.add(part.buffer);
  }
  return [...memory];
}

interface Waiting {
  readonly isRead: boolean;
  readonly bytes: number;
  readonly signal: CancelSignal | undefined;
  readonly abort: () => void;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
}

export class PortLog implements RewritingLog, BatchLog {
  readonly id: string;
  readonly epoch: number;
  readonly #port: MessagePort;
  readonly #limits: PortLimits;
  readonly #waiting = new Map<number, Waiting>();
  #bytes = 0;
  #nextId = 1;
  #isGone = false;
  #closing: Promise<void> | undefined;
  #onIdle: (() => void) | undefined;

  private constructor(port: MessagePort, hello: Extract<ToClient, { kind: 'hello' }>) {
    this.#port = port;
    this.id = hello.id;
    this.epoch = hello.epoch;
    this.#limits = hello.limits;
  }

  /** Resolves when the server has answered. @throws LogError LOG_CLOSED when it is not there */
  static connect(port: MessagePort): Promise<PortLog> {
    return new Promise((resolve, reject) => {
      let log: PortLog | undefined;
      port.on('message', (message: ToClient) => {
        if (message.kind === 'hello') {
          log = new PortLog(port, message);
          resolve(log);
        } else if (log !== undefined) {
          log.#settle(message);
        }
      });
      port.on('close', () => {
        if (log !== undefined) log.#gone();
        else reject(closed());
      });
      port.postMessage({ kind: 'hello' } satisfies ToServer);
    });
  }

  async createTopic(topic: string, options: TopicOptions = {}): Promise<void> {
    await this.#call({ method: 'createTopic', topic, options });
  }

  async topics(): Promise<readonly TopicStats[]> {
    return (await this.#call({ method: 'topics' })) as readonly TopicStats[];
  }

  async stats(topic: string): Promise<TopicStats> {
    return (await this.#call({ method: 'stats', topic })) as TopicStats;
  }

  async append(
    topic: string,
    records: readonly LogRecord[] | PackedRecords,
    options: AppendOptions = {},
  ): Promise<Appended> {
    const { consistency, signal, producer } = options;
    const isPacked = records instanceof PackedRecords;
    const bytes = isPacked ? records.bytes.byteLength : packedBytes(records);
    const count = isPacked ? records.count : records.length;
    const { batchBytesMax, batchRecordsMax, portBytesMax } = this.#limits;
    if (bytes > batchBytesMax || count > batchRecordsMax || count < 1) {
      throw new LogError(
        'LOG_BATCH_TOO_LARGE',
        `Cannot append to topic "${topic}": ${count} records of ${bytes} bytes, expected 1 to ${batchRecordsMax} records and at most ${batchBytesMax} bytes`,
      );
    }
    if (this.#bytes > 0 && this.#bytes + bytes > portBytesMax) {
      throw new LogError(
        'LOG_QUEUE_FULL',
        `Cannot append to topic "${topic}": ${this.#bytes} bytes are on their way to the log, expected at most ${portBytesMax}`,
      );
    }
    const body = isPacked ? bytesToSend(records) : PackedRecords.of(records).bytes;
    const call: Call = { method: 'append', topic, count, body, consistency, producer };
    return (await this.#call(call, signal)) as Appended;
  }

  async read(topic: string, options: ReadOptions): Promise<ReadResult> {
    const { from, recordsMax, bytesMax, waitMs, signal } = options;
    const call: Call = { method: 'read', topic, from, recordsMax, bytesMax, waitMs };
    const packed = (await this.#call(call, signal)) as PackedRead;
    const { count, bytes, nextOffset, gaps } = packed;
    return { records: unpackRead(bytes, count), nextOffset, gaps };
  }

  async readBatches(topic: string, options: ReadOptions): Promise<BatchRead> {
    const { from, recordsMax, bytesMax, waitMs, signal } = options;
    const call: Call = { method: 'readBatches', topic, from, recordsMax, bytesMax, waitMs };
    return (await this.#call(call, signal)) as BatchRead;
  }

  async position(topic: string, consumer: string): Promise<number | undefined> {
    return (await this.#call({ method: 'position', topic, consumer })) as number | undefined;
  }

  async commit(topic: string, consumer: string, offset: number): Promise<void> {
    await this.#call({ method: 'commit', topic, consumer, offset });
  }

  async rewriteSegment(topic: string, asked: RewriteOptions): Promise<RewriteResult> {
    const { signal, ...options } = asked;
    return (await this.#call(
      { method: 'rewriteSegment', topic, options },
      signal,
    )) as RewriteResult;
  }

  /** Closes this connection; the log behind it stays open. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const [id, waiting] of this.#waiting) {
      if (waiting.isRead) this.#port.postMessage({ kind: 'cancel', id } satisfies ToServer);
    }
    if (this.#waiting.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    this.#port.close();
  }

  #call(call: Call, signal?: CancelSignal): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#isGone || this.#closing !== undefined) {
        reject(closed());
        return;
      }
      if (signal?.aborted === true) {
        reject(signal.reason);
        return;
      }
      if (this.#waiting.size >= this.#limits.portRequestsMax) {
        const message = `${this.#waiting.size} requests are on their way to the log already`;
        reject(new LogError('LOG_QUEUE_FULL', `Cannot ask the log: ${message}`));
        return;
      }
      const id = this.#nextId++;
      const abort = (): void => {
        this.#port.postMessage({ kind: 'cancel', id } satisfies ToServer);
      };
      signal?.addEventListener('abort', abort, { once: true });
      const bytes = call.method === 'append' ? call.body.byteLength : 0;
      const isRead = call.method === 'read' || call.method === 'readBatches';
      this.#waiting.set(id, { isRead, bytes, signal, abort, resolve, reject });
      this.#bytes += bytes;
      const message: ToServer = { kind: 'call', id, call };
      this.#port.postMessage(message, call.method === 'append' ? movable(call.body) : []);
    });
  }

  #settle(message: Exclude<ToClient, { kind: 'hello' }>): void {
    const waiting = this.#waiting.get(message.id);
    if (waiting === undefined) return;
    this.#forget(message.id, waiting);
    if (message.kind === 'answer') waiting.resolve(message.value);
    else if (!message.refusal.isCancelled) waiting.reject(unpackRefusal(message.refusal));
    else waiting.reject(waiting.signal?.aborted === true ? waiting.signal.reason : closed());
  }

  /** The other end is gone: nobody will answer. */
  #gone(): void {
    this.#isGone = true;
    for (const [id, waiting] of this.#waiting) {
      this.#forget(id, waiting);
      waiting.reject(closed());
    }
    this.#onIdle?.();
  }

  #forget(id: number, waiting: Waiting): void {
    waiting.signal?.removeEventListener('abort', waiting.abort);
    this.#waiting.delete(id);
    this.#bytes -= waiting.bytes;
    if (this.#waiting.size === 0) this.#onIdle?.();
  }
}

/**
 * The memory moves to the other thread, so what the caller keeps is copied. Shared memory is read there
 * where it is: the caller leaves it alone until the append is answered.
 */
function bytesToSend({ bytes }: PackedRecords): Uint8Array {
  return bytes.buffer instanceof SharedArrayBuffer ? bytes : bytes.slice();
}

function movable({ buffer }: Uint8Array): ArrayBuffer[] {
  return buffer instanceof ArrayBuffer ? [buffer] : [];
}

function closed(): LogError {
  return new LogError('LOG_CLOSED', 'The connection to the log is closed');
}
