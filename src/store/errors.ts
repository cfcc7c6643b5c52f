// What can go wrong in a store, for programs by code and for operators by sentence.

import { CodedError } from '#base/errors.ts';

export const STORE_ERRORS = {
  STORE_BLOB_MISSING: 'The store has no blob of that name; `store ls` lists what it has.',
  STORE_BLOB_TOO_LARGE: 'A blob has at most 16 MiB; larger content is kept as several blobs.',
  STORE_WRONG_HASH:
    'The bytes of a put are not those its name promises; nothing was stored. Send it again.',
  STORE_CORRUPT_BLOB:
    'The bytes on disk are not those of the blob; they were not given to anyone. Put the blob again, from a replica or a backup.',
  STORE_RANGE_INVALID: 'A range begins beyond the end of the blob, or is not whole numbers.',
  STORE_WRITE_FAILED:
    'The disk refused a write or a sync; nothing of it was kept and it can be tried again. Look for a full or failing disk.',
  STORE_READ_FAILED: 'The disk refused a read; nothing was changed. Check the disk.',
  STORE_FAILED:
    'After a failed write the store could not be cut back to its last good blob, so it takes no more. Check the disk, then start again: recovery runs at start.',
  STORE_VERSION_UNSUPPORTED:
    'A pack was written by a newer version of the program; use that version or a later one.',
  STORE_TOKEN_INVALID:
    'The place to go on from is none of this store; it was made by another one. Begin again without it.',
  STORE_CANCELLED: 'The request was taken back by who made it.',
  STORE_CLOSED: 'The store was closed.',
} as const;

export type StoreErrorCode = keyof typeof STORE_ERRORS;

export class StoreError extends CodedError<StoreErrorCode> {}
