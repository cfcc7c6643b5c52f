// The stores that get a copy of everything: how far they are behind, and what they could not get.

import type { Check, Found } from './finding.ts';

/** A far store that is away for so long is worth a look. */
const LAG_SECONDS_MAX = 3600;

export const syncs: Check = {
  name: 'syncs',
  async run(rooms) {
    const nowMs = rooms.clock.nowMs();
    const findings: Found[] = [];
    for (const { sync, lag, unacknowledged, failedPrefixes } of await rooms.syncs.status()) {
      const seconds = Math.round((nowMs - (lag.sinceMs ?? nowMs)) / 1000);
      if (seconds > LAG_SECONDS_MAX) {
        findings.push({
          what: `The store "${sync}" is ${lag.blobs} blobs behind, the oldest for ${seconds} seconds.`,
          advice: 'See that it can be reached and has room; the log says why under "sync".',
        });
      }
      if (unacknowledged > 0) {
        findings.push({
          what: `${unacknowledged} blobs could not be copied to "${sync}", or were rotten there.`,
          advice: 'See `store failures`; when you know of them, `store ack --all`.',
        });
      }
      if (failedPrefixes.length > 0) {
        findings.push({
          what: `${failedPrefixes.length} of 256 parts of "${sync}" could not be compared.`,
          advice: 'They are tried again every hour; the log says why under "sync".',
        });
      }
    }
    return findings;
  },
};
