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
  STORE_LOCKED:
    'The folder of a packed store is open in another process, or twice in this one. Two data folders must not name the same folder in `store.stack`; end the other process, or give each a folder of its own.',
  STORE_VERSION_UNSUPPORTED:
    'A pack was written by a newer version of the program; use that version or a later one.',
  STORE_TOKEN_INVALID:
    'The place to go on from is none of this store; it was made by another one. Begin again without it.',
  STORE_S3_SETTINGS_INVALID:
    'The S3 store cannot be opened as it is configured; the message names the setting or what is wrong in the key file.',
  STORE_S3_DENIED:
    'The S3 service refused the keys, or the keys may not do this. Check the key file, and that its keys may list, read, write and delete in the bucket.',
  STORE_S3_BUCKET_MISSING:
    'The S3 service knows no such bucket. Check its name, the endpoint and the region; the bucket is not made by itself.',
  STORE_S3_REGION_WRONG:
    'The bucket is in another region than requests are signed for. Set the region, and the endpoint of that region, which the message names where the service tells them.',
  STORE_S3_CLOCK_WRONG:
    'The S3 service refuses requests because the clock of this machine differs from its own by many minutes. Set the clock, best by NTP.',
  STORE_S3_UNREACHABLE:
    'The S3 service gave no answer, however often it was asked. Check the endpoint, the network and the certificate; the cause says what happened last.',
  STORE_S3_UNAVAILABLE:
    'The S3 service answered that it is busy or failing, however often it was asked. Look at its state; fewer requests at once may help.',
  STORE_S3_REFUSED:
    'The S3 service refused a request; the message has its words. An upload that was refused can be tried again.',
  STORE_S3_ANSWER_INVALID:
    'An answer is not what an S3 service says. Check that the endpoint is one and that no proxy answers in its place.',
  STORE_STACK_INVALID:
    'The line of stores in `store.stack` cannot work; the message says why. docs/store.md shows lines that do.',
  STORE_PLACE_UNUSABLE:
    'The folder of a store holds something else, is no folder, or may not be made or read; the message says which. Nothing in it was touched. Name an empty folder, or the one of that store.',
  STORE_KEYS_INVALID:
    'The key file of the encrypted store cannot be read, or holds a line that is no key. Bring back the file from where you keep its copy; without the key nothing can be decrypted.',
  STORE_KEY_MISSING:
    'Something in the encrypted store was made with a key that the key file has no longer. Add its line again, below the first.',
  STORE_MANIFEST_DAMAGED:
    'A manifest of the encrypted store cannot be read. `store rebuild` makes it anew from the encrypted blobs.',
  STORE_BACKUP_INVALID:
    'What is kept as a backup is none that this version can read: its manifest, index or a list does not hold what it says. Take an earlier one (`backup list`), or another copy of the place.',
  STORE_SYNC_DELAYED:
    'Some blobs could not be copied to the far store of a sync; it tries again by itself. `store syncs` shows how far it is behind.',
  STORE_NEEDED:
    'Torrents that the archive keeps need one of these blobs, so none was removed. Give the torrents up first (`torrent unkeep`), or ask with `?force=yes` over HTTP, `force` by WebSocket, `store rm --force`.',
  STORE_COLLECTING:
    'Garbage is being collected already, by the job or by another command; wait for its end.',
  STORE_ROOTS_UNREADABLE:
    'It could not be read which blobs are needed, so no further blob was removed. The cause says which room could not tell; then collect again.',
  STORE_ROOTS_EMPTY:
    'Nothing in the database refers to any blob, so none was removed: the database may be lost or another one. If it is right, say `store gc --without-roots`.',
  STORE_BUSY:
    'The store server has as much on its way as its settings in [upload] let it, or this member has. Nothing was kept of the request; ask again in a moment.',
  STORE_DENIED:
    'Who asked may not use the store, or may not remove from it: no session or token of a member who may, or one that was revoked. `store-token add` makes one; blobs are removed by those of administrators.',
  STORE_PROTOCOL:
    'A message to or from a store server is not understood; the connection ends. The two may be of versions that do not fit.',
  STORE_TIMED_OUT:
    'The other side of a store connection stood still for too long. What was answered is kept; the rest is asked again.',
  STORE_UNREACHABLE:
    'The store server gave no answer for as long as the client waits. Check its address and the network; what was answered is kept.',
  STORE_UPLOAD_MISSING:
    'There is no such upload: it was ended, it expired, or it is of another member. Begin a new one.',
  STORE_UPLOAD_OFFSET:
    'A part of an upload begins elsewhere than where the upload ends. Ask for its offset and go on there.',
  STORE_UPLOAD_CHECKSUM:
    'A part of an upload is not what its checksum says. Nothing of the part was kept; send it again.',
  STORE_UPLOAD_TOO_LARGE: 'An upload or a batch is larger than the settings in [upload] allow.',
  STORE_UPLOADS_FULL:
    'This member has as many unfinished uploads as the settings in [upload] allow. End one, or wait until one expires.',
  STORE_FILE_CHANGED:
    'A file was written to, cut or removed while it was put; what was stored of it is not the file. Put it again when nobody writes to it.',
  STORE_CANCELLED: 'The request was taken back by who made it.',
  STORE_CLOSED: 'The store was closed.',
} as const;

export type StoreErrorCode = keyof typeof STORE_ERRORS;

export class StoreError extends CodedError<StoreErrorCode> {}
