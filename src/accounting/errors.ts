// What can go wrong in accounting that an operator must act on.

import { CodedError } from '#base/errors.ts';

export const ACCOUNTING_ERRORS = {
  LEDGER_LOG_CHANGED:
    'The ledger was made from another log than the one that is open. Put back the log it belongs to, or run `swarmkeep ledger rebuild`.',
  LEDGER_EPOCH_CHANGED:
    'The log was restored or promoted after the ledger was made, so its offsets mean something else. Run `swarmkeep ledger rebuild`.',
  LEDGER_BEYOND_END:
    'The ledger has counted records that the log no longer has: the log lost its end or is an older copy. Put back the newer log, or run `swarmkeep ledger rebuild`.',
  LEDGER_RECORDS_REMOVED:
    'Retention removed transfer records before the ledger counted them. Totals lack them; keep the topic `transfers` longer.',
  LEDGER_POSITION_TAKEN:
    'Another process moved the position of the ledger. Only one ledger may run on a database; end the other.',
  LEDGER_TOTAL_TOO_LARGE: 'A total of the ledger passed 2^53-1 bytes and cannot be kept exactly.',
  BASELINES_SNAPSHOT_INVALID:
    'No snapshot of the baselines can be read. Silent clients will be credited nothing for their next announce; remove the file to go on.',
  BASELINES_READ_FAILED: 'The snapshot of the baselines could not be read from the disk.',
  TRANSFERS_CLOSED: 'The writer of transfer records is closed.',
} as const;

export class AccountingError extends CodedError<keyof typeof ACCOUNTING_ERRORS> {}
