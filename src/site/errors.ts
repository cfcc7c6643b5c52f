// Failures of the site that are not a visitor's mistake (those are Refusals).

import { CodedError } from '#base/errors.ts';

export const SITE_ERRORS = {
  SITE_PASSWORDS_BUSY:
    'Too many passwords wait to be hashed; the visitor is told to try again. Raise site.passwordsAtOnce on a machine with cores to spare.',
  SITE_STAFF_LOG_APART:
    'The staff log in the database is not the one that was copied to the log topic `staff`: one of the two was put back from another copy, or edited. Compare them line by line (line n is the record at offset n - 1); put the right one back from a backup.',
  SITE_TORRENT_UNFIT:
    'A stored .torrent file is refused now, as an upload of it would be; the message says why. Remove the torrent.',
  SITE_PASSWORD_HASH: 'A stored password hash cannot be read; set a new password for that member.',
} as const;

export type SiteErrorCode = keyof typeof SITE_ERRORS;

export class SiteError extends CodedError<SiteErrorCode> {}
