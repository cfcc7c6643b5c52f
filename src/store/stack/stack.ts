// Builds the stores that a line of configuration names (stack-text.ts), and keeps hold of the parts that
// can do more than a Store: packs that are compacted, an encryption that is renewed, shards that are
// rebalanced, and the stores at the bottom, which are verified one by one.

import type { Clock } from '#base/clock.ts';
import type { Disk } from '#base/disk.ts';
import type { Logger } from '#base/logger.ts';
import type { Random } from '#base/random.ts';
import { CacheStore } from '#store/cache/cache.ts';
import { ORDER_FILES, orderFile } from '#store/cache/order-file.ts';
import type { StoreConfig } from '#store/config.ts';
import { DirectoryStore } from '#store/directory.ts';
import { EncryptStore } from '#store/encrypt/encrypt.ts';
import { parseKeys, type StoreKey } from '#store/encrypt/key-file.ts';
import { StoreError } from '#store/errors.ts';
import { packName } from '#store/packed/pack.ts';
import { PackedStore } from '#store/packed/packed.ts';
import { isSealedFolder, takePlace } from '#store/place.ts';
import { PlacedStore } from '#store/several/placed.ts';
import { byFreeSpace, byHash, byRendezvous, inOrder } from '#store/several/placement.ts';
import { ReplicaStore } from '#store/several/replica.ts';
import type { Store } from '#store/store.ts';
import { parseStack, type StackNode, stackText } from './stack-text.ts';

const KEY_FILE_BYTES_MAX = 65_536;
/** Damaged places that are logged at once. */
const TOLD_MAX = 20;
const PLACEMENTS = { rendezvous: byRendezvous, hash: byHash, free: byFreeSpace, first: inOrder };

export interface StackWorld {
  /** Stores without a path of their own are in it. */
  readonly folder: string;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly config: StoreConfig;
  /** Bytes free where this folder is. */
  readonly freeBytes: (folder: string) => Promise<number>;
  /** A store in the bucket, of objects whose names begin with this beside what is configured. */
  readonly openS3: (prefix: string) => Promise<Store>;
}

export interface StackLeaf {
  /** As configured: `packed`, `s3(manifests/)`. */
  readonly name: string;
  readonly store: Store;
  /** Of the disk that it lies on; a bucket has none. */
  readonly freeBytes?: () => Promise<number>;
}

export interface Stack {
  readonly text: string;
  readonly store: Store;
  readonly leaves: readonly StackLeaf[];
  readonly packs: readonly PackedStore[];
  readonly placed: readonly PlacedStore[];
  readonly encrypted: readonly EncryptStore[];
  readonly caches: readonly CacheStore[];
  readonly replicas: readonly StackReplica[];
}

interface StackReplica {
  readonly store: ReplicaStore;
  /** Of its members, as of a leaf. */
  readonly names: readonly string[];
}

/** Beside the blobs of a stack, in its own stores: the manifests of the backups that lie there. */
export const BACKUPS_ROLE = 'backups';

/**
 * With a role, other blobs in the same places. @throws StoreError STORE_STACK_INVALID, and what the
 * stores throw when they are opened
 */
export async function openStack(
  world: StackWorld,
  text: string,
  role: '' | typeof BACKUPS_ROLE = '',
): Promise<Stack> {
  const parsed = parseStack(text);
  if ('why' in parsed) throw invalid(`Cannot use the store "${text}": ${parsed.why}`);
  const builder = new Builder(world);
  try {
    const store = await builder.open(parsed.node, role);
    return { text: stackText(parsed.node), store, ...builder.parts };
  } catch (error) {
    await builder.close();
    throw error;
  }
}

/**
 * Makes the manifests of the encrypted stores of a stack anew, which must not be open. Answers how many
 * blobs were found.
 */
export async function rebuildManifests(
  world: StackWorld,
  text: string,
  onUnreadable: (part: string, error: unknown) => void,
): Promise<number> {
  let blobs = 0;
  for (const node of encryptedIn(text)) {
    const builder = new Builder(world);
    try {
      const below = await builder.openBehindEncrypt(node.behind, '');
      blobs += await EncryptStore.rebuild(below, onUnreadable);
    } finally {
      await builder.close();
    }
  }
  return blobs;
}

/** The encrypted stores of a line. @throws StoreError STORE_STACK_INVALID when there is none */
export function encryptedIn(text: string): Extract<StackNode, { readonly kind: 'encrypt' }>[] {
  const parsed = parseStack(text);
  if ('why' in parsed) throw invalid(`Cannot use the store "${text}": ${parsed.why}`);
  const encrypted = [...encryptedOf(parsed.node)];
  if (encrypted.length > 0) return encrypted;
  throw invalid(
    `Nothing in "${text}" encrypts, so nothing needs to be rebuilt: packs are read anew whenever they are opened`,
  );
}

class Builder {
  readonly parts = {
    leaves: [] as StackLeaf[],
    packs: [] as PackedStore[],
    placed: [] as PlacedStore[],
    encrypted: [] as EncryptStore[],
    caches: [] as CacheStore[],
    replicas: [] as StackReplica[],
  };
  readonly #world: StackWorld;
  readonly #opened: Store[] = [];

  constructor(world: StackWorld) {
    this.#world = world;
  }

  /** `role` sets the stores below an `encrypt` apart: its parts and its manifests. */
  async open(node: StackNode, role: string): Promise<Store> {
    const store = await this.#openNode(node, role);
    this.#opened.push(store);
    return store;
  }

  async openBehindEncrypt(behind: StackNode, role: string) {
    const keys = await this.#keys();
    const below = role === BACKUPS_ROLE ? `${role}-` : role;
    const parts = await this.open(behind, `${below}parts`);
    const manifests = await this.open(behind, `${below}manifests`);
    const { random, clock } = this.#world;
    return { parts, manifests, keys, random, clock };
  }

  /** What was opened so far, the outermost first. */
  async close(): Promise<void> {
    for (const store of this.#opened.reverse()) await store.close().catch(() => {});
  }

  async #openNode(node: StackNode, role: string): Promise<Store> {
    switch (node.kind) {
      case 'packed':
      case 'directory':
      case 's3':
        return this.#openLeaf(node, role);
      case 'encrypt': {
        const store = await EncryptStore.open(await this.openBehindEncrypt(node.behind, role));
        this.parts.encrypted.push(store);
        return store;
      }
      case 'cache':
        return this.#openCache(node, role);
      case 'replica': {
        const { clock, config } = this.#world;
        const members = await this.#openAll(node.members, role);
        const logger = this.#world.logger;
        const store = new ReplicaStore(members, {
          ...{ clock, writesMin: node.writesMin, raceMs: config.replicaRaceMs },
          onTrouble: ({ at, ref, what, error }) =>
            logger.warn('A copy of a blob', {
              copy: stackText(node.members[at]!),
              ref,
              what,
              error,
            }),
        });
        const names = node.members.map((member) => leafName(member, role));
        this.parts.replicas.push({ store, names });
        return store;
      }
      default: {
        const members = await this.#openAll(node.members, role);
        const parts = node.members.map((member, at) => ({
          name: stackText(member),
          store: members[at] as Store,
          freeBytes: () => this.#freeBytes(member),
        }));
        const store = new PlacedStore(parts, PLACEMENTS[node.placement]);
        this.parts.placed.push(store);
        return store;
      }
    }
  }

  async #openAll(nodes: readonly StackNode[], role: string): Promise<Store[]> {
    const stores: Store[] = [];
    // One after the other: the second of two that cannot be opened need not be tried.
    for (const node of nodes) stores.push(await this.open(node, role));
    return stores;
  }

  async #openLeaf(
    node: Extract<StackNode, { readonly place: string }>,
    role: string,
  ): Promise<Store> {
    const { disk, clock, random, config, openS3 } = this.#world;
    let store: Store;
    if (node.kind !== 's3' && isSealedFolder(role)) {
      const isOwn = (names: readonly string[]): boolean => names.some(isSealedFolder);
      const kind = `encrypt > ${node.kind}`;
      await takePlace({ disk, folder: this.#folderOf(node, ''), kind, isOwn });
    }
    if (node.kind === 's3') store = await openS3(joined(node.place, role));
    else if (node.kind === 'directory') {
      store = await DirectoryStore.open({ folder: this.#folderOf(node, role), disk });
    } else {
      const folder = this.#folderOf(node, role);
      const packed = await PackedStore.open({ folder, disk, clock, random, config });
      this.parts.packs.push(packed);
      this.#tellDamage(leafName(node, role), packed);
      this.#tellTail(leafName(node, role), packed);
      store = packed;
    }
    const freeBytes = (): Promise<number> => this.#freeBytes(node);
    const name = leafName(node, role);
    this.parts.leaves.push({ name, store, ...(node.kind === 's3' ? {} : { freeBytes }) });
    return store;
  }

  #tellDamage(store: string, { damage }: PackedStore): void {
    const { logger } = this.#world;
    for (const { pack, start, end } of damage.slice(0, TOLD_MAX)) {
      logger.error('A part of the store cannot be read; `store verify` tells what is lost', {
        ...{ store, pack: packName(pack), start, end },
      });
    }
  }

  #tellTail(store: string, { tail }: PackedStore): void {
    if (tail === undefined) return;
    const { logger } = this.#world;
    const { pack, start, end, lost, saved, aside, isTorn } = tail;
    const what = { store, pack: packName(pack), bytes: end - start };
    if (isTorn) {
      logger.info(
        'A write that a kill ended halfway was cut off the store; nobody had an answer',
        what,
      );
      return;
    }
    const more = { places: lost, saved: saved.length, ...(aside !== undefined && { aside }) };
    const words =
      'The end of the store could not all be read: it was cut there, what is whole was saved, and its bytes are kept aside';
    logger.warn(words, { ...what, ...more });
  }

  async #openCache(
    node: Extract<StackNode, { readonly kind: 'cache' }>,
    role: string,
  ): Promise<Store> {
    const { disk, config, logger } = this.#world;
    const folder = `${this.#world.folder}/cache${role === '' ? '' : `-${role}`}`;
    const far = await this.open(node.behind, role);
    const near = await DirectoryStore.open({ folder, disk, beside: ORDER_FILES });
    const cache = await CacheStore.open({
      ...{ near, far, bytesMax: node.bytesMax, smallBytesMax: config.cacheSmallBytesMax },
      order: orderFile(disk, folder),
      onTrouble: (error) => logger.warn('The cache cannot be used', { error }),
    });
    this.parts.caches.push(cache);
    return cache;
  }

  async #keys(): Promise<readonly StoreKey[]> {
    const { disk, config } = this.#world;
    if (config.keyFile === '') throw invalid('encrypt needs a key file: set store.keyFile');
    const file = await disk.open(config.keyFile, { write: false }).catch((error: unknown) => {
      const words = `Cannot read the key file "${config.keyFile}"`;
      throw new StoreError('STORE_KEYS_INVALID', words, { cause: error });
    });
    try {
      const size = await file.sizeBytes();
      if (size > KEY_FILE_BYTES_MAX) {
        const words = `Cannot use "${config.keyFile}": ${size} bytes are too many for a key file`;
        throw new StoreError('STORE_KEYS_INVALID', words);
      }
      const bytes = Buffer.alloc(size);
      const read = bytes.byteLength === 0 ? 0 : await file.read(bytes, 0);
      return parseKeys(bytes.toString('latin1', 0, read));
    } finally {
      await file.close();
    }
  }

  #folderOf(node: { readonly kind: string; readonly place: string }, role: string): string {
    const own = node.place.startsWith('/')
      ? node.place
      : `${this.#world.folder}/${node.place === '' ? node.kind : node.place}`;
    return joined(own, role);
  }

  /** Of the first folder below; a bucket has room for everything. */
  async #freeBytes(node: StackNode): Promise<number> {
    if ('behind' in node) return this.#freeBytes(node.behind);
    if ('members' in node) return this.#freeBytes(node.members[0] as StackNode);
    if (node.kind === 's3') return Number.MAX_SAFE_INTEGER;
    return this.#world.freeBytes(this.#folderOf(node, ''));
  }
}

function* encryptedOf(
  node: StackNode,
): Generator<Extract<StackNode, { readonly kind: 'encrypt' }>> {
  if (node.kind === 'encrypt') yield node;
  if ('behind' in node) yield* encryptedOf(node.behind);
  if ('members' in node) for (const member of node.members) yield* encryptedOf(member);
}

function leafName(node: StackNode, role: string): string {
  const name = stackText(node);
  return role === '' ? name : `${name}, ${role}`;
}

function joined(place: string, role: string): string {
  if (role === '') return place;
  return place === '' || place.endsWith('/') ? `${place}${role}` : `${place}/${role}`;
}

function invalid(words: string): StoreError {
  return new StoreError('STORE_STACK_INVALID', words);
}
