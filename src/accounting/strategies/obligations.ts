// What a member still has to seed under `seed-time`, with when it is due: the same question that the
// strategy asks, answered for those, too, who are doing it or have time left.

import { owesSeeding, type SeedTimeSettings, thereMs } from './seed-time.ts';
import type { MemberHistory } from './strategy.ts';

export interface Obligation {
  readonly torrentId: number;
  readonly name: string;
  /** Either of these ends it. */
  readonly seedSecondsLeft: number;
  readonly uploadedBytesLeft: number;
  /** `unwanted`: nobody wants it now, and nothing is asked meanwhile. */
  readonly state: 'seeding' | 'unwanted' | 'away';
  /** When it counts as a hit and run; undefined while nothing counts. Unix milliseconds. */
  readonly dueMs: number | undefined;
}

/** The soonest due first; those without a date last. */
export function obligationsOf(
  settings: SeedTimeSettings,
  { torrents }: Pick<MemberHistory, 'torrents'>,
): readonly Obligation[] {
  return torrents
    .filter((torrent) => owesSeeding(settings, torrent))
    .map((torrent) => {
      const { torrentId, name, isSeeding, leechers, sizeBytes } = torrent;
      const state = isSeeding ? 'seeding' : leechers === 0 ? 'unwanted' : 'away';
      const required = Math.ceil(sizeBytes * settings.ratioRequired);
      return {
        ...({ torrentId, name, state } as const),
        seedSecondsLeft: settings.seedSecondsRequired - torrent.seedSeconds,
        uploadedBytesLeft: required - torrent.uploadedBytes,
        dueMs: state === 'away' ? thereMs(torrent) + settings.hitAndRunAfterMs : undefined,
      };
    })
    .toSorted((one, other) => (one.dueMs ?? Infinity) - (other.dueMs ?? Infinity) || 0);
}
