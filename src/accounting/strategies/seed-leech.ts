// `seed-leech`: of the torrents that a member took, so many must be seeded: being seeded now, or
// seeded long enough before.

import { ratioOf, type Strategy } from './strategy.ts';

export interface SeedLeechSettings {
  /** Torrents seeded for each torrent taken. */
  readonly required: number;
  /** Seeded that long, a torrent counts for ever. */
  readonly seedSecondsMin: number;
  /** Up to so many taken torrents nothing is asked. */
  readonly graceTorrents: number;
}

export function seedLeech({
  required,
  seedSecondsMin,
  graceTorrents,
}: SeedLeechSettings): Strategy {
  return {
    name: 'seed-leech',
    judge({ torrents }) {
      const taken = torrents.filter((torrent) => torrent.downloadedBytes > 0 && !torrent.isExempt);
      const leeched = taken.length;
      const seeded = taken.filter(
        ({ isSeeding, seedSeconds }) => isSeeding || seedSeconds >= seedSecondsMin,
      ).length;
      const isMet = leeched <= graceTorrents || ratioOf(seeded, leeched) >= required;
      return {
        state: isMet ? 'met' : 'short',
        findings: [{ kind: 'seed-leech', seeded, leeched, required, graceTorrents }],
      };
    },
  };
}
