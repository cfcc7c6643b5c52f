// What a running server tells about itself beside its status: what it logs, what it logged last, what it
// counts. Levels that are set here end with the process.

import { type LevelTable, LogLevels, levelTable } from '#base/log-levels.ts';
import type { Logger } from '#base/logger.ts';
import { pinoLogger } from '#cli/pino-logger.ts';
import type { ServerThread } from '#cli/threads/thread.ts';
import type { Config } from '#config/schema.ts';
import { RecentLines } from './recent-lines.ts';

/** The main thread's logger, its levels and its last lines. */
export interface ServerLogging {
  readonly logger: Logger;
  readonly levels: LogLevels;
  readonly lines: RecentLines;
}

export function serverLogging({ logLevel, logLevels }: Config['server']): ServerLogging {
  const levels = new LogLevels(levelTable(logLevel, logLevels));
  const lines = new RecentLines();
  return { levels, lines, logger: pinoLogger({ levels, lines }) };
}

export class Diagnosis {
  readonly #logging: ServerLogging;
  readonly #threads: readonly ServerThread[];
  readonly #configured: LevelTable;
  /** Prometheus' text. */
  readonly metrics: () => Promise<string>;

  constructor(parts: {
    readonly logging: ServerLogging;
    readonly threads: readonly ServerThread[];
    readonly metrics: () => Promise<string>;
  }) {
    this.#logging = parts.logging;
    this.#threads = parts.threads;
    this.#configured = parts.logging.levels.table;
    this.metrics = parts.metrics;
  }

  get levels(): LevelTable {
    return this.#logging.levels.table;
  }

  /** In every thread. */
  setLevels(table: LevelTable): void {
    this.#logging.levels.set(table);
    for (const thread of this.#threads) thread.tell({ kind: 'levels', table });
  }

  /** As the settings have them. */
  resetLevels(): void {
    this.setLevels(this.#configured);
  }

  /** Modules that have a logger, in order. */
  async modules(): Promise<readonly string[]> {
    const others = await Promise.all(this.#threads.map((thread) => thread.said()));
    const all = [...this.#logging.levels.modules, ...others.flatMap(({ modules }) => modules)];
    return [...new Set(all)].sort();
  }

  /** The last lines of all threads as they were written, in the order of their times. */
  async lines(): Promise<readonly string[]> {
    const others = await Promise.all(this.#threads.map((thread) => thread.said()));
    const all = [...this.#logging.lines.all(), ...others.flatMap(({ lines }) => lines)];
    // Each line says its time in a form whose order is that of its letters.
    return all
      .map((line) => ({ line, time: /"time":"([^"]*)"/.exec(line)?.[1] ?? '' }))
      .sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0))
      .map(({ line }) => line);
  }
}
