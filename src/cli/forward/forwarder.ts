// Lines of files, standard input and sockets into a topic of a log server, each once. Before a batch
// is sent, the batch and the positions behind it are on disk (forward-state.ts), and it carries a
// producer's stamp: after a kill, or when the server was lost before it answered, the same batch goes
// again under the same sequence, and the log takes it once.

import { type Clock, sleep } from '#base/clock.ts';
import { codeOf, messageOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import type { Random } from '#base/random.ts';
import type { Log } from '#log/log.ts';
import { PackedRecords } from '#log/segment/packed-records.ts';
import type { ServerLimits } from '#log/server/protocol.ts';
import type { FileTail } from './file-tail.ts';
import {
  type FilePosition,
  type ForwardState,
  loadForwardState,
  saveForwardState,
} from './forward-state.ts';
import type { LineIntake } from './line-intake.ts';

const RETRY_MS_MAX = 1000;
const RETRY_MS_MIN = 20;
/** Nothing but time, or somebody, mends these; the batch stays and is sent again. */
const RETRIED: ReadonlySet<string | undefined> = new Set([
  'LOG_UNREACHABLE',
  'LOG_TIMED_OUT',
  'LOG_UNANSWERED',
  'LOG_QUEUE_FULL',
  'LOG_APPEND_FAILED',
  'LOG_TOPIC_FAILED',
  'LOG_SERVER_FAILED',
  'LOG_CONNECTIONS_FULL',
  'LOG_CLOSED',
]);

export interface ForwarderWorld {
  readonly log: Log;
  readonly topic: string;
  /** Makes the topic when it does not exist. */
  readonly create: boolean;
  readonly statePath: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly pollMs: number;
  readonly onForwarded?: (records: number) => void;
}

/** How much is read for one batch, and how long a line may be, so that both fit what the server takes. */
export function sizesFor(limits: Pick<ServerLimits, 'batchBytesMax' | 'batchRecordsMax'>): {
  readonly readBytes: number;
  readonly lineBytesMax: number;
} {
  // A line of nothing costs twelve bytes and one record.
  const readBytes = Math.min(Math.floor(limits.batchBytesMax / 32), limits.batchRecordsMax);
  return { readBytes, lineBytesMax: Math.floor(limits.batchBytesMax / 4) };
}

export class Forwarder {
  readonly #world: ForwarderWorld;
  #state: ForwardState;
  /** The file says what `#state` says. */
  #isSettled = false;

  /** Knows where an earlier one on the same state stopped. @throws CliError CLI_DATA_UNUSABLE */
  constructor(world: ForwarderWorld) {
    this.#world = world;
    const { random } = world;
    this.#state = loadForwardState(world.statePath) ?? {
      producer: (random.u32() & 0x1f_ffff) * 0x1_0000_0000 + random.u32() || 1,
      sequence: 0,
      files: {},
      pending: undefined,
    };
  }

  positionOf(path: string): FilePosition | undefined {
    return this.#state.files[path];
  }

  /**
   * Runs until the signal, or until there is nothing that could bring more lines.
   * @throws what the log refuses for good
   */
  async run(
    sources: { readonly tails: readonly FileTail[]; readonly intake: LineIntake },
    readBytes: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, pollMs } = this.#world;
    const { tails, intake } = sources;
    if (this.#state.pending !== undefined) await this.#send(this.#state.pending, signal);
    while (!signal.aborted) {
      let moved = 0;
      for (const tail of tails) {
        const { lines, position } = tail.read(readBytes);
        const isNew = position !== undefined && this.#state.files[tail.path] === undefined;
        if (lines.length > 0 || isNew) await this.#forward(lines, { tail, position }, signal);
        moved += lines.length;
      }
      const lines = intake.take(readBytes);
      if (lines.length > 0) await this.#forward(lines, undefined, signal);
      moved += lines.length;
      if (moved > 0) continue;
      this.#settle();
      if (tails.length === 0 && intake.isDone) return;
      await sleep(clock, pollMs, signal).catch(() => undefined);
    }
    this.#settle();
  }

  /** At rest nothing is pending, so that a later start has nothing to repeat. */
  #settle(): void {
    if (this.#isSettled || this.#state.pending !== undefined) return;
    saveForwardState(this.#world.statePath, this.#state);
    this.#isSettled = true;
  }

  async #forward(
    lines: readonly Uint8Array[],
    from: { readonly tail: FileTail; readonly position: FilePosition | undefined } | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { producer, sequence, files } = this.#state;
    const pending =
      lines.length === 0 ? undefined : PackedRecords.of(lines.map((value) => ({ value })));
    const moved =
      from?.position === undefined ? files : { ...files, [from.tail.path]: from.position };
    const state: ForwardState = {
      producer,
      sequence: pending === undefined ? sequence : sequence + 1,
      files: moved,
      pending,
    };
    saveForwardState(this.#world.statePath, state);
    this.#state = state;
    this.#isSettled = pending === undefined;
    if (pending !== undefined) await this.#send(pending, signal);
  }

  /** Returns when the log has it, or unfinished when the signal came: the next run sends it again. */
  async #send(records: PackedRecords, signal: AbortSignal): Promise<void> {
    const { log, topic, clock, logger, onForwarded } = this.#world;
    const { producer, sequence } = this.#state;
    let hasComplained = false;
    let retryMs = RETRY_MS_MIN;
    while (!signal.aborted) {
      try {
        await log.append(topic, records, {
          consistency: 'durable',
          producer: { id: producer, sequence },
        });
        if (hasComplained) logger.info('The log server answers again', { topic });
        this.#state = { ...this.#state, pending: undefined };
        onForwarded?.(records.count);
        return;
      } catch (error) {
        const failure = await this.#mend(error);
        if (failure === undefined) continue;
        if (!RETRIED.has(codeOf(failure))) throw failure;
        if (!hasComplained) {
          logger.warn('The log server does not take a batch; it is kept and sent again', {
            topic,
            error: messageOf(failure),
          });
        }
        hasComplained = true;
        await sleep(clock, retryMs, signal).catch(() => undefined);
        retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
      }
    }
  }
  /** Makes the topic where that is what was missing; else what is still wrong. */
  async #mend(error: unknown): Promise<unknown> {
    const { log, topic, create } = this.#world;
    if (codeOf(error) !== 'LOG_TOPIC_UNKNOWN' || !create) return error;
    try {
      await log.createTopic(topic);
      return undefined;
    } catch (failure) {
      return failure;
    }
  }
}
