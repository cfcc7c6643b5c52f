// Reads and hashes every blob of a stack at its bottom, where a cache or a replica cannot hide a rotten
// copy, and compares what the top promises with what is there.

import type { BlobRef } from '#base/ids.ts';
import { PACK_HEADER_BYTES, packName } from '#store/packed/pack.ts';
import { PackedStore } from '#store/packed/packed.ts';
import type { Stack } from '#store/stack/stack.ts';
import { type CallOptions, readStore } from './store.ts';

const FOUND_MAX = 1000;

export interface StackVerified {
  /** Copies that were read and are right, of all stores at the bottom. */
  readonly blobs: number;
  readonly bytes: number;
  /** Copies whose bytes or records are wrong; the first thousand. */
  readonly corrupt: readonly CorruptCopy[];
  /** Copies that one member of a replica lacks and another has; the first thousand. */
  readonly lacking: readonly { readonly store: string; readonly ref: BlobRef }[];
  readonly lackingCount: number;
  /** Blobs that the top names and nobody below has. */
  readonly missing: readonly BlobRef[];
  /** Of `damage`, those that held something. */
  readonly damagedStretches: number;
  /** Places in packs that cannot be read; the first thousand. */
  readonly damage: readonly DamagedPlace[];
  /** Files with ends of packs that were cut after a kill. */
  readonly aside: readonly { readonly store: string; readonly file: string }[];
  /** Encrypted parts that no manifest names. */
  readonly unnamedParts: number;
}

interface CorruptCopy {
  readonly store: string;
  readonly ref: BlobRef;
  /** The blob that an encrypted part belongs to; `ref` is the name of the part. */
  readonly blob?: BlobRef;
}

export interface DamagedPlace {
  readonly store: string;
  /** The file. */
  readonly pack: string;
  readonly start: number;
  readonly end: number;
  /** Nothing is lost by a damaged header alone, and compaction writes its pack anew. */
  readonly isHeader: boolean;
}

/** What the packs of a stack were found to lack when they were opened. */
export function damageOf(stack: Pick<Stack, 'leaves'>): DamagedPlace[] {
  return stack.leaves.flatMap(({ name, store }) =>
    store instanceof PackedStore
      ? store.damage.map(({ pack, start, end }) => {
          const isHeader = start < PACK_HEADER_BYTES;
          return { store: name, pack: packName(pack), start, end, isHeader };
        })
      : [],
  );
}

/** How many blobs of each store are known to be wrong since somebody read them. */
export function knownCorruptIn(
  stack: Pick<Stack, 'leaves'>,
): { readonly store: string; readonly blobs: number }[] {
  const counts = stack.leaves.map(({ name, store }) => ({
    store: name,
    blobs: store instanceof PackedStore ? store.corruptCount : 0,
  }));
  return counts.filter(({ blobs }) => blobs > 0);
}

export async function verifyStack(
  stack: Stack,
  options: CallOptions & { readonly onBlob?: (bytes: number) => void } = {},
): Promise<StackVerified> {
  const corrupt: CorruptCopy[] = [];
  const aside: { store: string; file: string }[] = [];
  const sum = { blobs: 0, bytes: 0 };
  for (const leaf of stack.leaves) {
    const { name, store } = leaf;
    const wrong = await verifyLeaf(leaf, sum, options);
    for (const ref of wrong.slice(0, FOUND_MAX - corrupt.length)) {
      corrupt.push({ store: name, ref });
    }
    const files = store instanceof PackedStore ? await store.asides() : [];
    for (const file of files) aside.push({ store: name, file });
  }
  const missing = await missingOf(stack, options);
  const damage = damageOf(stack);
  const damagedStretches = damage.filter(({ isHeader }) => !isHeader).length;
  let unnamedParts = 0;
  for (const store of stack.encrypted) unnamedParts += await store.unnamed(options);
  return {
    ...{ ...sum, corrupt: namedPlain(stack, corrupt), missing, damagedStretches, aside },
    ...{ damage: damage.slice(0, FOUND_MAX), unnamedParts, ...(await lackingIn(stack, options)) },
  };
}

/** Blobs of one store at the bottom whose bytes or records are wrong, each once. */
async function verifyLeaf(
  { store }: Stack['leaves'][number],
  sum: { blobs: number; bytes: number },
  options: CallOptions & { readonly onBlob?: (bytes: number) => void },
): Promise<BlobRef[]> {
  const wrong = new Set(store instanceof PackedStore ? await store.checkHeaders(options) : []);
  for await (const { ref, bytes, body } of readStore(store, { signal: options.signal })) {
    if (body === undefined) wrong.add(ref);
    else {
      sum.blobs++;
      sum.bytes += bytes;
    }
    options.onBlob?.(bytes);
  }
  // What the next opening is to know is on the medium.
  if (store instanceof PackedStore) await store.endCheck();
  return [...wrong];
}

/** Where a part is wrong, with the blob that whoever has it can put again. */
function namedPlain(stack: Stack, corrupt: readonly CorruptCopy[]): CorruptCopy[] {
  const refs = corrupt.map(({ ref }) => ref);
  const blobs = new Map(stack.encrypted.flatMap((store) => [...store.blobsOf(refs)]));
  return corrupt.map((copy) => {
    const blob = blobs.get(copy.ref);
    return blob === undefined ? copy : { ...copy, blob };
  });
}

async function lackingIn(stack: Stack, options: CallOptions) {
  const lacking: { store: string; ref: BlobRef }[] = [];
  let lackingCount = 0;
  for (const { store, names } of stack.replicas) {
    for await (const { ref, at } of store.lacking(options)) {
      lackingCount++;
      if (lacking.length < FOUND_MAX) lacking.push({ store: names[at] as string, ref });
    }
  }
  return { lacking, lackingCount };
}

/** Only what keeps names apart from bytes can name a blob that is not there. */
async function missingOf(stack: Stack, options: CallOptions): Promise<BlobRef[]> {
  const missing: BlobRef[] = [];
  for (const store of stack.encrypted) {
    for await (const ref of store.lost(options)) {
      if (missing.length < FOUND_MAX) missing.push(ref);
    }
  }
  return missing;
}
