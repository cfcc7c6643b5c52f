// Operating errors of tracker/.

import { CodedError } from '#base/errors.ts';

export const TRACKER_ERRORS = {
  TRACKER_CONFIG_INVALID:
    'A tracker setting contradicts another one. The message names both and what would do.',
  TRACKER_SNAPSHOT_DAMAGED:
    'The snapshot of members and torrents cannot be read. It is set aside and made anew from the topic `control`; nothing is lost.',
} as const;

export type TrackerErrorCode = keyof typeof TRACKER_ERRORS;

export class TrackerError extends CodedError<TrackerErrorCode> {}
