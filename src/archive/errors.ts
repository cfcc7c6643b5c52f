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
  ARCHIVE_EVENT_INVALID:
    'An event of the archive was changed, moved or is half lost; the log is damaged or somebody wrote to it. `reindex` names each; it goes on without them with --skip-damaged.',
  ARCHIVE_EVENT_KEY_UNKNOWN:
    'The last event of the archive was signed by a key that is not in keys/archive-events. Put that file back from a backup; when it is lost for good, `archive rotate-key --lost` begins with a new one.',
  ARCHIVE_KEEPER_REFUSED:
    'The server that copies are held for does not take this keeper, or speaks otherwise. Look at the token, at the address, and at the versions of both.',
  ARCHIVE_KEEPER_UNREACHABLE:
    'The server that copies are held for does not answer. It is asked again; nothing is lost meanwhile.',
  ARCHIVE_RIGHT_ENDED:
    'The right to what was being downloaded ended, and the download with it: a member was banned, a share was revoked or is over.',
  ARCHIVE_RANGE_INVALID: 'A range begins beyond the end of the file.',
} as const;

export class ArchiveError extends CodedError<keyof typeof ARCHIVE_ERRORS> {}

/** `how`: `has grown`. */
export function fileChanged(how: string): ArchiveError {
  return new ArchiveError('ARCHIVE_FILE_CHANGED', `The file ${how} while it was read`);
}
