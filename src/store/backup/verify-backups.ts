// Reads everything that backups are made of, each blob once: whether a restore would find all of it.

import type { BlobRef } from '#base/ids.ts';
import { throwIfCancelled } from '#store/calls.ts';
import { StoreError } from '#store/errors.ts';
import type { CallOptions } from '#store/store.ts';
import { type BackupSet, type KnownBackup, lackingIn } from './backup-set.ts';

const DAMAGED_MAX = 1000;

export interface VerifiedBackups {
  readonly backups: number;
  readonly blobs: number;
  readonly bytes: number;
  /** The first thousand. */
  readonly damaged: readonly {
    readonly backup: string;
    /** A file, `index`, or `content` with the blob's name. */
    readonly what: string;
    readonly why: string;
  }[];
}

export async function verifyBackups(
  set: BackupSet,
  backups: readonly KnownBackup[],
  options: CallOptions & { readonly onBlob?: (done: number) => void } = {},
): Promise<VerifiedBackups> {
  const damaged: { backup: string; what: string; why: string }[] = [];
  const states = new Map<BlobRef, number | string>();
  let bytes = 0;
  /** Its length, or the code of what is wrong with it. */
  const read = async (ref: BlobRef): Promise<number | string> => {
    throwIfCancelled(options.signal);
    const known = states.get(ref);
    if (known !== undefined) return known;
    const state = await stateOf(set, ref, options);
    states.set(ref, state);
    if (typeof state === 'number') bytes += state;
    options.onBlob?.(states.size);
    return state;
  };
  for (const { ref, manifest } of backups) {
    const note = (what: string, why: string): void => {
      if (damaged.length < DAMAGED_MAX) damaged.push({ backup: ref, what, why });
    };
    const lacking = lackingIn({ ref, manifest });
    if (lacking > 0)
      note('content', `incomplete since it was made: ${lacking} blobs are not in it`);
    try {
      for (const file of await set.files(manifest, options)) {
        let length = 0;
        for (const chunk of file.chunks) {
          const state = await read(chunk);
          if (typeof state === 'number') length += state;
          else note(file.path, state);
        }
        if (length !== file.bytes) note(file.path, `${length} bytes, expected ${file.bytes}`);
      }
      for await (const info of set.content(manifest, options)) {
        const state = await read(info.ref);
        if (typeof state === 'string') note(`content ${info.ref}`, state);
      }
    } catch (error) {
      throwIfCancelled(options.signal);
      if (!(error instanceof StoreError)) throw error;
      note('index', error.message);
    }
  }
  return { backups: backups.length, blobs: states.size, bytes, damaged };
}

async function stateOf(
  set: BackupSet,
  ref: BlobRef,
  options: CallOptions,
): Promise<number | string> {
  try {
    return (await set.blobs.get(ref, options)).byteLength;
  } catch (error) {
    throwIfCancelled(options.signal);
    const isLost =
      error instanceof StoreError &&
      (error.code === 'STORE_BLOB_MISSING' || error.code === 'STORE_CORRUPT_BLOB');
    if (isLost) return error.code;
    throw error;
  }
}
