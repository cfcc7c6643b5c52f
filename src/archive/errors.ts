// What can go wrong in the archive, for programs by code and for operators by sentence.

import { CodedError } from '#base/errors.ts';

export const ARCHIVE_ERRORS = {
  ARCHIVE_FILE_TOO_LARGE:
    'One file of the archive has at most 4 TiB less a few MiB. Split it, or leave it out.',
  ARCHIVE_FILE_CHANGED:
    'The file was changed while it was read; what was stored of it is let go. Put it again when it rests.',
  ARCHIVE_CONTENT_WRONG:
    'The content is not that of the torrent: its hashes differ. Nothing of it counts as kept.',
  ARCHIVE_MAP_INVALID:
    'The map of a file cannot be read: it was changed or written by a newer version. `archive verify` tells which, and it is fetched again where another copy is.',
  ARCHIVE_FILE_MISSING: 'The archive does not have this file, or not all of it.',
  ARCHIVE_RANGE_INVALID: 'A range begins beyond the end of the file.',
} as const;

export class ArchiveError extends CodedError<keyof typeof ARCHIVE_ERRORS> {}
