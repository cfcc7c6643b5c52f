// The server: every room built from real parts, joined, and taken down in order.
//
//   start   lock the folder - log thread - SQL and migrations - ledger - tracker thread (baselines,
//           then doors) - outbox relay - control socket - first-run link - the site's port, last
//   stop    the site's port - control socket - tracker thread (flushes its records) - the ledger
//           catches up - relay - log thread - SQL - the lock
//
// A thread that dies, or a part that fails for good, ends the process with exit code 1: a restart
// recovers from what is on disk, a half-alive server does not.

import { MessageChannel } from 'node:worker_threads';
import { Ledger } from '#accounting/ledger.ts';
import { completedCounts } from '#accounting/totals.ts';
import { type Clock, SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { messageOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import { type Random, SeededRandom, SystemRandom } from '#base/random.ts';
import type { Config } from '#config/schema.ts';
import type { Log } from '#log/log.ts';
import { PortLog } from '#log/port-log.ts';
import { Registry, renderCollected } from '#metrics/registry.ts';
import { migrate } from '#sql/migrate.ts';
import { openSql } from '#sql/open.ts';
import { OutboxRelay } from '#sql/outbox.ts';
import type { Sql } from '#sql/sql.ts';
import { Swarm } from '#swarm/swarm.ts';
import { runCommandHere } from './commands/run-here.ts';
import { ControlServer, socketPathFor } from './control-socket.ts';
import type { DataFolder } from './data-folder.ts';
import { MIGRATIONS } from './migrations.ts';
import type { Rooms, ServerStatus } from './rooms.ts';
import { SiteListener } from './site-listener.ts';
import { threadUrl } from './thread-url.ts';
import { ServerThread } from './threads/thread.ts';

const OUTPUT_SOCKETS = 'sockets: node (this version has no batched addon)';
/** After this long a stop that hangs ends the process all the same. */
const STOP_MS_MAX = 10_000;
const LEDGER_CATCH_UP_MS_MAX = 5_000;
const CONNECTION_KEY_BYTES = 32;

export interface ServeWorld {
  readonly folder: DataFolder;
  readonly config: Config;
  readonly logger: Logger;
  /** Lines for the person who started the server. */
  readonly say: (line: string) => void;
  /** A part failed for good; the owner ends the process. */
  readonly onFailure: (error: unknown) => void;
}

export class Server {
  readonly #world: ServeWorld;
  readonly #clock: Clock = new SystemClock();
  readonly #random: Random = new SystemRandom();
  readonly #metrics = new Registry();
  readonly #stopping = new AbortController();
  /** What close() undoes, in the order it was made. */
  readonly #undo: { readonly what: string; readonly run: () => Promise<void> }[] = [];
  #threads: ServerThread[] = [];
  #rooms: Rooms | undefined;

  private constructor(world: ServeWorld) {
    this.#world = world;
  }

  /** Resolves when every door and the site's port answer. What was opened is closed on failure. */
  static async start(world: ServeWorld): Promise<Server> {
    const server = new Server(world);
    try {
      await server.#open();
      return server;
    } catch (error) {
      await server.close();
      throw error;
    }
  }

  /** Takes everything down in order; idempotent. A part that cannot stop in time is named. */
  async close(): Promise<void> {
    this.#stopping.abort();
    const limit = this.#clock.after(STOP_MS_MAX, () => {
      this.#world.onFailure(new Error(`The stop took longer than ${STOP_MS_MAX} ms`));
    });
    for (let step = this.#undo.pop(); step !== undefined; step = this.#undo.pop()) {
      try {
        await step.run();
      } catch (error) {
        this.#world.logger.error('A part did not stop cleanly', {
          part: step.what,
          error: messageOf(error),
        });
      }
    }
    limit.cancel();
  }

  async #open(): Promise<void> {
    const { folder, config, logger, say } = this.#world;
    say(OUTPUT_SOCKETS);
    const logThread = await this.#startLog();
    const log = await this.#connectLog(logThread);
    const sql = await openSql({
      url: config.sql.url,
      folder: folder.folder('sql'),
      config: config.sql,
      logger: logger.for('sql'),
    });
    this.#undo.push({ what: 'sql', run: () => sql.close() });
    await migrate(sql, MIGRATIONS, { clock: this.#clock });
    const memory = Swarm.reserve(config.swarm);
    const swarm = new Swarm({
      memory,
      clock: this.#clock,
      random: new SeededRandom(this.#random.u32(), this.#random.u32()),
      config: config.swarm,
    });
    const relay = this.#startRelay(sql, log);
    const ledger = await this.#openLedger({ sql, log, swarm });
    const tracker = await this.#startTracker(logThread, memory);
    this.#runLedger(ledger);
    const rooms = this.#joinRooms({ sql, log, relay, ledger, tracker });
    await this.#openDoorsOfTheProgram(rooms, swarm);
  }
}
