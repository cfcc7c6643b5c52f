// What can go wrong in accounting that an operator must act on.

import { CodedError } from '#base/errors.ts';

export const ACCOUNTING_ERRORS = {
  TRANSFERS_LOST:
    'A batch of transfer records could not be saved and the baselines were put back. Nothing is lost: clients bring the bytes with their next announce. Look at the disk.',
  LEDGER_LOG_CHANGED:
    'The ledger was made from another log than the one that is open. Put back the log it belongs to, or run `swarmkeep ledger rebuild`.',
  LEDGER_EPOCH_CHANGED:
    'The log was restored or promoted after the ledger was made, so its offsets mean something else. Run `swarmkeep ledger rebuild`.',
  LEDGER_BEYOND_END:
    'The ledger has counted records that the log no longer has: the log lost its end or is an older copy. Put back the newer log, or run `swarmkeep ledger rebuild`.',
  LEDGER_RECORDS_DAMAGED:
    'The log cannot be read whole, so a ledger made from it would have less than the one that is there. `swarmkeep log verify` names the damage; `ledger rebuild --accept-damage` counts what is left.',
  LEDGER_RECORDS_REMOVED:
    'The log no longer begins with its first transfer record, and no snapshot of the ledger covers what is gone, so the ledger cannot be made anew. Keep the ledger that there is.',
  LEDGER_SNAPSHOT_REFUSED:
    'A snapshot of the ledger was not taken, because the ledger could not be proven. `swarmkeep ledger audit` names the differences.',
  LEDGER_POSITION_TAKEN:
    'Another process moved the position of the ledger. Only one ledger may run on a database; end the other.',
  LEDGER_BEHIND:
    'Members were not judged, because the ledger has not counted what they moved of late. It is tried again; `swarmkeep jobs list` shows when, and the metric swarmkeep_ledger_lag_records how far it is.',
  PURGE_ABNORMAL:
    'More torrents than usual have nobody who seeds them, which may be the tracker’s fault and not theirs; nothing was removed. See that clients reach the tracker. If it is right, `swarmkeep jobs run purge-unseeded` within a week says so; site.purgeShareMax is the share that asks nobody.',
  BASELINES_SNAPSHOT_INVALID:
    'A snapshot of the baselines is damaged. It is set aside; the one before it and the log after it, or the whole log, bring back what it held.',
  BASELINES_READ_FAILED: 'The snapshot of the baselines could not be read from the disk.',
} as const;

export class AccountingError extends CodedError<keyof typeof ACCOUNTING_ERRORS> {}
