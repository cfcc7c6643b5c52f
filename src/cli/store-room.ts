// The store of a data folder, opened when it is first asked for: a bucket that is away need not keep a
// tracker from starting.

import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import type { Logger } from '#base/logger.ts';
import type { Random } from '#base/random.ts';
import type { Config } from '#config/schema.ts';
import type { Gauge, Registry } from '#metrics/registry.ts';
import { NodeHttpClient } from '#net/http-client.ts';
import { BackupSet } from '#store/backup/backup-set.ts';
import { GuardedStore } from '#store/gc/guard.ts';
import { Marks } from '#store/gc/marks.ts';
import { S3Store } from '#store/s3/s3.ts';
import { readS3Credentials } from '#store/s3/s3-credentials.ts';
import { bucketUrl } from '#store/s3/s3-endpoint.ts';
import { BACKUPS_ROLE, openStack, type Stack, type StackWorld } from '#store/stack/stack.ts';
import { parseStack, placesOf } from '#store/stack/stack-text.ts';
import { damageOf } from '#store/verify.ts';
import { CliError } from './errors.ts';

/** The configured stack, of which garbage can be collected while it is used. */
export interface GuardedStack extends Stack {
  readonly store: GuardedStore;
}

export interface StoreRoomParts {
  readonly folder: string;
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Registry;
}

export class StoreRoom {
  readonly world: StackWorld;
  /** Runs before a put into the configured store is answered. */
  onReceived: GuardedStore['onReceived'];
  readonly #config: Config;
  readonly #http: NodeHttpClient;
  readonly #damaged: Gauge;
  readonly #others: string[] = [];
  #stack: Promise<GuardedStack> | undefined;
  #manifests: Promise<Stack> | undefined;

  constructor(parts: StoreRoomParts) {
    const { folder, config, clock, random, logger, metrics } = parts;
    const disk = new SystemDisk();
    this.#config = config;
    this.#http = new NodeHttpClient();
    this.#damaged = metrics.gauge(
      'swarmkeep_store_damaged_places',
      'Places in packs of the store that could not be read when it was opened; `store verify` names them.',
    );
    this.world = {
      ...{ folder, disk, clock, random, logger, config: config.store, freeBytes },
      openS3: async (prefix) => {
        // What is missing is told in the order in which it is set: address, bucket, keys.
        bucketUrl(config.s3);
        const credentials = await readS3Credentials(disk, config.s3.keyFile);
        const own = { ...config.s3, prefix: `${config.s3.prefix}${prefix}` };
        const world = { clock, random, metrics, http: this.#http, credentials };
        return S3Store.open({ ...world, config: own });
      },
    };
  }

  /** What `store.stack` says. A failure is not kept: the next call tries again. */
  stack(): Promise<GuardedStack> {
    this.#stack ??= this.#openGuarded().catch((error: unknown) => {
      this.#stack = undefined;
      throw error;
    });
    return this.#stack;
  }

  /**
   * Runs with another stack open. @throws CliError CLI_REFUSED when it shares a place with one that is open:
   * a store belongs to one at a time
   */
  async withOther<Result>(text: string, run: (stack: Stack) => Promise<Result>): Promise<Result> {
    const places = placesIn(text);
    const taken = [...placesIn(this.#config.store.stack), ...this.#others];
    const shared = places.find((place) => taken.includes(place));
    if (shared !== undefined) {
      throw new CliError('CLI_REFUSED', `"${text}" would open "${shared.trim()}", which is in use`);
    }
    this.#others.push(...places);
    try {
      const stack = await openStack(this.world, text);
      try {
        return await run(stack);
      } finally {
        await stack.store.close();
      }
    } finally {
      for (const place of places) this.#others.splice(this.#others.indexOf(place), 1);
    }
  }

  /** The backups that lie in the store itself. As `stack`, a failure is not kept. */
  async backups(): Promise<BackupSet> {
    const { store } = await this.stack();
    this.#manifests ??= openStack(this.world, this.#config.store.stack, BACKUPS_ROLE).catch(
      (error: unknown) => {
        this.#manifests = undefined;
        throw error;
      },
    );
    return new BackupSet({ blobs: store, manifests: (await this.#manifests).store });
  }

  /** Those of another place. @throws as `withOther` */
  withOtherBackups<Result>(
    text: string,
    run: (backups: BackupSet) => Promise<Result>,
  ): Promise<Result> {
    return this.withOther(text, async ({ store }) => {
      const manifests = await openStack(this.world, text, BACKUPS_ROLE);
      try {
        return await run(new BackupSet({ blobs: store, manifests: manifests.store }));
      } finally {
        await manifests.store.close();
      }
    });
  }

  /** Ends the open one, if there is one; it may be asked for again. */
  async release(): Promise<void> {
    const manifests = await this.#manifests?.catch(() => undefined);
    this.#manifests = undefined;
    await manifests?.store.close();
    const stack = await this.#stack?.catch(() => undefined);
    this.#stack = undefined;
    await stack?.store.close();
  }

  async #openGuarded(): Promise<GuardedStack> {
    const { folder, disk } = this.world;
    const marks = await Marks.open({ disk, folder: `${folder}/garbage` });
    const stack = await openStack(this.world, this.#config.store.stack);
    this.tellDamage(stack);
    const store = new GuardedStore(stack.store, marks);
    store.onReceived = this.onReceived;
    return { ...stack, store };
  }

  /** Sets the metric to what is known of the configured stack. */
  tellDamage(stack: Pick<Stack, 'leaves'>): void {
    this.#damaged.set(damageOf(stack).length);
  }

  async close(): Promise<void> {
    await this.release();
    this.#http.close();
  }
}

/** None of a line that cannot be read, which opening it will say. */
function placesIn(text: string): string[] {
  const parsed = parseStack(text);
  return 'node' in parsed ? placesOf(parsed.node) : [];
}

async function freeBytes(folder: string): Promise<number> {
  for (let at = folder; ; at = dirname(at)) {
    try {
      const { bavail, bsize } = await statfs(at);
      return bavail * bsize;
    } catch (error) {
      // Made with its first blob: until then its parent tells.
      if (dirname(at) === at) throw error;
    }
  }
}
