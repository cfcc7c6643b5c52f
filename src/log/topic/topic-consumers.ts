// The positions of a topic's named consumers, each a checkpoint in `<topic>/consumers/`.

import type { Disk } from '#base/disk.ts';
import { checkName, isTopicName } from '#log/descriptions.ts';
import { LogError } from '#log/errors.ts';
import type { ConsumerStats } from '#log/log.ts';
import { Checkpoint } from '#log/segment/checkpoint.ts';
import { CONSUMERS_FOLDER } from './topic-files.ts';
import type { TopicState } from './topic-state.ts';

export interface ConsumersWorld {
  readonly disk: Disk;
  /** The topic's. */
  readonly folder: string;
  readonly epoch: number;
  readonly consumersMax: number;
}

export class TopicConsumers {
  readonly #world: ConsumersWorld;
  readonly #state: TopicState;
  readonly #open = new Map<string, Promise<Checkpoint>>();
  /** What was read of those that are not open: nobody else writes them. */
  readonly #seen = new Map<string, number | undefined>();

  constructor(world: ConsumersWorld, state: TopicState) {
    this.#world = world;
    this.#state = state;
  }

  async position(consumer: string): Promise<number | undefined> {
    checkName('consumer', consumer);
    // Asking for one that never committed must not take its place among `consumersMax`.
    const isThere = this.#open.has(consumer) || (await this.#exists(consumer));
    return isThere ? (await this.#opened(consumer)).value : undefined;
  }

  async commit(consumer: string, offset: number): Promise<void> {
    checkName('consumer', consumer);
    const { name, nextOffset } = this.#state;
    if (!Number.isSafeInteger(offset) || offset < 0 || offset > nextOffset) {
      throw new LogError(
        'LOG_OFFSET_BEYOND_END',
        `Cannot commit offset ${offset} of consumer "${consumer}": topic "${name}" ends at ${nextOffset}`,
        { offset: nextOffset },
      );
    }
    const checkpoint = await this.#opened(consumer);
    try {
      await checkpoint.write(offset);
    } catch (cause) {
      throw new LogError(
        'LOG_APPEND_FAILED',
        `Cannot write the position of consumer "${consumer}" of topic "${name}"`,
        { cause },
      );
    }
  }

  /** By name, and how far each is behind. @throws the disk's error */
  async stats(): Promise<readonly ConsumerStats[]> {
    const consumers: ConsumerStats[] = [];
    for (const name of await this.#names()) {
      const offset = await this.#committed(name);
      // One that was cut back with the topic may stand beyond its end.
      const lag = Math.max(0, this.#state.nextOffset - (offset ?? 0));
      if (offset !== undefined) consumers.push({ name, offset, lag });
    }
    return consumers;
  }

  async #names(): Promise<readonly string[]> {
    const { disk } = this.#world;
    if ((await disk.stat(this.#folder)) === undefined) return [];
    return (await disk.list(this.#folder)).filter(isTopicName);
  }

  /** To be looked at only: what was read is not made durable first. */
  async #committed(consumer: string): Promise<number | undefined> {
    const open = this.#open.get(consumer);
    if (open !== undefined) return (await open).value;
    if (this.#seen.has(consumer)) return this.#seen.get(consumer);
    const { disk, epoch } = this.#world;
    const place = { folder: this.#folder, name: consumer, epoch };
    const { value } = await Checkpoint.open(disk, place);
    this.#seen.set(consumer, value);
    return value;
  }

  get #folder(): string {
    return `${this.#world.folder}/${CONSUMERS_FOLDER}`;
  }

  async #exists(consumer: string): Promise<boolean> {
    return (await this.#world.disk.stat(`${this.#folder}/${consumer}`)) !== undefined;
  }

  /** One for each file, also after a failure: it alone knows which slot may be written over. */
  async #opened(consumer: string): Promise<Checkpoint> {
    let opening = this.#open.get(consumer);
    if (opening === undefined) {
      opening = this.#openOne(consumer);
      this.#open.set(consumer, opening);
      opening.catch(() => this.#open.delete(consumer));
    }
    const checkpoint = await opening;
    await checkpoint.settle();
    return checkpoint;
  }

  async #openOne(consumer: string): Promise<Checkpoint> {
    const { disk, folder, consumersMax, epoch } = this.#world;
    await disk.makeFolder(this.#folder);
    await disk.syncFolder(folder);
    const names = new Set([...(await disk.list(this.#folder)), ...this.#open.keys()]);
    if (names.size > consumersMax && !(await this.#exists(consumer))) {
      throw new LogError(
        'LOG_CONSUMERS_FULL',
        `Cannot add consumer "${consumer}" to topic "${this.#state.name}": it has ${consumersMax}`,
      );
    }
    return Checkpoint.open(disk, { folder: this.#folder, name: consumer, epoch });
  }
}
