// The tracker's threads (T21), as the server sees them: started side by side, bound in the order of
// their numbers, asked as one, closed with the keeper last. The first is the keeper (workers.ts).

import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { Clock } from '#base/clock.ts';
import { sleep } from '#base/clock.ts';
import { statsOfAll, type TrackerStats } from '#tracker/tracker-stats.ts';
import { KEEPER } from '#tracker/workers.ts';
import { CliError } from './errors.ts';
import { ServerThread } from './threads/thread.ts';
import type { TrackerThreadData } from './threads/tracker-thread.ts';

/** A door that cannot be bound in this time ends the start (T26). */
const BIND_MS_MAX = 5_000;

/** What each thread gets beside its number, its ports and the memory they share. */
export type TrackerThreadsData = Omit<TrackerThreadData, 'index' | 'logPort' | 'links'>;

export interface TrackerThreadsWorld {
  readonly clock: Clock;
  readonly url: URL;
  readonly data: TrackerThreadsData;
  /** A way to the log for one thread. */
  readonly connectLog: () => MessagePort;
}

export class TrackerThreads {
  readonly threads: readonly ServerThread[];
  readonly #world: TrackerThreadsWorld;

  /** They start; `ready()` says when they stand. */
  constructor(world: TrackerThreadsWorld) {
    const { data } = world;
    const count = data.config.tracker.workers;
    const links = meshOf(count);
    this.#world = world;
    this.threads = links.map((ports, index) => {
      const logPort = world.connectLog();
      const own: TrackerThreadData = { ...data, index, logPort, links: ports };
      const name = count === 1 ? 'tracker' : `tracker ${index + 1}`;
      const transfer = [logPort, ...ports.filter((port) => port !== undefined)];
      return new ServerThread(name, { url: world.url, data: own, transfer });
    });
  }

  /** Everything but the doors stands in all of them. */
  async ready(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.ready()));
  }

  /**
   * Binds every door of every thread; returns their addresses. None answers before serve().
   * @throws NetError NET_BIND_FAILED, CliError CLI_BIND_TIMED_OUT
   */
  async bind(): Promise<readonly string[]> {
    const { clock, data } = this.#world;
    const { addresses, port } = data.config.tracker;
    const end = new AbortController();
    const late = sleep(clock, BIND_MS_MAX, end.signal).then(() => {
      throw new CliError(
        'CLI_BIND_TIMED_OUT',
        `Cannot bind port ${port} on ${addresses.join(', ')} in ${BIND_MS_MAX} ms`,
      );
    });
    // Whichever comes first decides; the other one's end is of no interest.
    late.catch(() => undefined);
    try {
      return await Promise.race([this.#bindInOrder(port), late]);
    } finally {
      end.abort();
    }
  }

  serve(): void {
    for (const thread of this.threads) thread.tell({ kind: 'serve' });
  }

  async status(): Promise<TrackerStats> {
    const all = await Promise.all(this.threads.map((thread) => thread.status()));
    const [first, ...others] = all as [TrackerStats, ...TrackerStats[]];
    return statsOfAll(first, others);
  }

  /** All take nothing new, then flush; the keeper, which appends their records, ends last. */
  async close(): Promise<void> {
    for (const thread of this.threads) thread.tell({ kind: 'stop' });
    await Promise.all(this.threads.slice(KEEPER + 1).map((thread) => thread.close()));
    await this.threads[KEEPER]?.close();
  }

  async #bindInOrder(wanted: number): Promise<readonly string[]> {
    let port = wanted;
    let urls: readonly string[] = [];
    for (const thread of this.threads) {
      const bound = await thread.bind(port);
      if (thread === this.threads[KEEPER]) urls = bound.urls;
      port = bound.port;
    }
    return urls;
  }
}

/** A channel between each two of `count` threads: of each thread its ends, by the other's number. */
function meshOf(count: number): (MessagePort | undefined)[][] {
  const mesh = Array.from({ length: count }, () =>
    new Array<MessagePort | undefined>(count).fill(undefined),
  );
  for (let from = 0; from < count; from++) {
    for (let to = from + 1; to < count; to++) {
      const { port1, port2 } = new MessageChannel();
      mesh[from]![to] = port1;
      mesh[to]![from] = port2;
    }
  }
  return mesh;
}
