// `seed-time`, the rule against hit and run: who took more than a tenth of a torrent gives it back, by
// time or by bytes. Who goes away before is warned after a day and has a hit and run after three; with
// too many of them the member is short. A torrent ends to count by itself when it is seeded on, and
// does not count while nobody wants it, or when it is exempt. Actual bytes count, so that freeleech
// does not excuse from seeding.
//
// Away is whoever has no client there; and who completed it and does not seed, whatever another client
// of theirs says that still lacks something.
//
//   took at most 10 %, exempt, met, or seeding     nothing
//   away for less than warnAfterMs                 nothing yet
//   away for warnAfterMs                           left-early: warned
//   away for hitAndRunAfterMs                      hit-and-run, also when warnAfterMs is longer

import type { Finding, MemberHistory, Strategy, TorrentHistory, Verdict } from './strategy.ts';

export interface SeedTimeSettings {
  readonly seedSecondsRequired: number;
  /** Uploaded bytes by the torrent's size that are as good as the time. */
  readonly ratioRequired: number;
  /** Share of a torrent that may be taken without owing anything. */
  readonly bufferShare: number;
  readonly warnAfterMs: number;
  readonly hitAndRunAfterMs: number;
  /** With more the member is short. */
  readonly hitAndRunsMax: number;
}

export function seedTime(settings: SeedTimeSettings): Strategy {
  return { name: 'seed-time', judge: (history) => judge(settings, history) };
}

function judge(settings: SeedTimeSettings, history: MemberHistory): Verdict {
  const findings: Finding[] = [];
  let [count, warned] = [0, 0];
  for (const torrent of history.torrents) {
    if (!owes(settings, torrent)) continue;
    const awayMs = history.nowMs - thereMs(torrent);
    if (awayMs < Math.min(settings.warnAfterMs, settings.hitAndRunAfterMs)) continue;
    const isRun = awayMs >= settings.hitAndRunAfterMs;
    if (isRun) count++;
    else warned++;
    findings.push({
      kind: isRun ? 'hit-and-run' : 'left-early',
      torrentId: torrent.torrentId,
      name: torrent.name,
      seedSeconds: torrent.seedSeconds,
      seedSecondsRequired: settings.seedSecondsRequired,
      uploadedBytes: torrent.uploadedBytes,
      uploadedBytesRequired: Math.ceil(torrent.sizeBytes * settings.ratioRequired),
      awayMs,
    });
  }
  const countMax = settings.hitAndRunsMax;
  findings.unshift({ kind: 'hit-and-runs', count, countMax });
  if (count > countMax) return { state: 'short', findings };
  return { state: count + warned > 0 ? 'warned' : 'met', findings };
}

/** When the member was last seen doing their part. */
export function thereMs({ completedMs, lastSeenMs, lastSeededMs }: TorrentHistory): number {
  return completedMs > 0 ? Math.max(completedMs, lastSeededMs) : lastSeenMs;
}

function owes(settings: SeedTimeSettings, torrent: TorrentHistory): boolean {
  return !torrent.isSeeding && torrent.leechers > 0 && owesSeeding(settings, torrent);
}

/** Whether something is still to be given back, by those, too, who are doing it. */
export function owesSeeding(settings: SeedTimeSettings, torrent: TorrentHistory): boolean {
  const { sizeBytes, downloadedBytes, uploadedBytes, seedSeconds } = torrent;
  if (torrent.isExempt) return false;
  if (downloadedBytes <= sizeBytes * settings.bufferShare) return false;
  if (seedSeconds >= settings.seedSecondsRequired) return false;
  return uploadedBytes < sizeBytes * settings.ratioRequired;
}
