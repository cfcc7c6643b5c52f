// What a thread logs with: its own levels, which the main thread sets, and its own last lines, which it
// asks for.

import { type LevelTable, LogLevels } from '#base/log-levels.ts';
import type { Logger } from '#base/logger.ts';
import { pinoLogger } from '#cli/pino-logger.ts';
import { RecentLines } from '#cli/support/recent-lines.ts';
import type { ThreadMessage, ThreadReply } from './thread.ts';

export class ThreadLogging {
  readonly logger: Logger;
  readonly #levels: LogLevels;
  readonly #lines = new RecentLines();

  constructor(table: LevelTable, thread: string) {
    this.#levels = new LogLevels(table);
    this.logger = pinoLogger({ levels: this.#levels, lines: this.#lines, thread });
  }

  set(message: Extract<ThreadMessage, { readonly kind: 'levels' }>): void {
    this.#levels.set(message.table);
  }

  said(id: number): ThreadReply {
    return { kind: 'said', id, lines: this.#lines.all(), modules: this.#levels.modules };
  }
}
