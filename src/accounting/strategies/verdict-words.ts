// A verdict's reasons as sentences for the member: what was given, what is asked, what to do.

import type { Finding } from './strategy.ts';

/** How numbers are written; the site and the command line have their own. */
export interface NumberWords {
  bytes(bytes: number): string;
  duration(ms: number): string;
  /** A quotient with two digits; "∞" when nothing was taken. */
  quotient(quotient: number): string;
}

export function findingWords(finding: Finding, words: NumberWords): string {
  switch (finding.kind) {
    case 'no-rule':
      return 'Nothing is asked of you here: everything is recorded, nobody is judged.';
    case 'grace':
      return `You have taken ${words.bytes(finding.downloadedBytes)}; up to ${words.bytes(finding.graceBytes)} nothing is asked.`;
    case 'ratio':
      return ratioWords(finding, words);
    case 'seeded-share':
      return seededShareWords(finding, words);
    case 'seed-leech':
      return seedLeechWords(finding);
    case 'seed-leech-time':
      return seedLeechTimeWords(finding, words);
    case 'hit-and-runs':
      return `You have ${counted(finding.count, 'hit and run', 'hit and runs')}; more than ${finding.countMax} put you on watch.`;
    default:
      return owedWords(finding, words);
  }
}

function ratioWords(
  { ratio, required }: Extract<Finding, { kind: 'ratio' }>,
  words: NumberWords,
): string {
  const asked = `${words.quotient(required)} is required`;
  if (ratio === Number.POSITIVE_INFINITY) return `You have taken nothing; ${asked} later.`;
  return `You have given ${words.quotient(ratio)} times what you took; ${asked}.`;
}

function seededShareWords(
  finding: Extract<Finding, { kind: 'seeded-share' }>,
  words: NumberWords,
): string {
  const { snatches, seededMean, requiredMax, requiredMin } = finding;
  const bounds = `between ${words.quotient(requiredMin)} when you seed all of them and ${words.quotient(requiredMax)} when you seed none`;
  return `Of ${snatches} completed torrents you seeded ${seededMean.toFixed(1)} at a time over the last 7 days; what is required lies ${bounds}.`;
}

function seedLeechWords({
  leeched,
  seeded,
  required,
  graceTorrents,
}: Extract<Finding, { kind: 'seed-leech' }>): string {
  const taken = counted(leeched, 'torrent', 'torrents');
  const done = `Of the ${taken} that you took you seed or have seeded ${seeded}`;
  if (leeched <= graceTorrents) return `${done}; up to ${graceTorrents} taken nothing is asked.`;
  const asked = Math.ceil(leeched * required);
  return `${done}; ${asked} ${asked === 1 ? 'is' : 'are'} required.`;
}

function seedLeechTimeWords(
  finding: Extract<Finding, { kind: 'seed-leech-time' }>,
  words: NumberWords,
): string {
  const { windowDays, seedSeconds, leechSeconds, required, graceSeconds } = finding;
  const [seeded, taken] = [words.duration(seedSeconds * 1000), words.duration(leechSeconds * 1000)];
  const done = `In the last ${windowDays} days you seeded for ${seeded} and downloaded for ${taken}`;
  if (leechSeconds <= graceSeconds) {
    return `${done}; up to ${words.duration(graceSeconds * 1000)} of downloading nothing is asked.`;
  }
  return `${done}; each hour of downloading asks for ${words.quotient(required)} hours of seeding.`;
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}

function owedWords(
  finding: Extract<Finding, { kind: 'hit-and-run' | 'left-early' }>,
  words: NumberWords,
): string {
  const { name, awayMs, seedSeconds, seedSecondsRequired } = finding;
  const timeLeft = words.duration((seedSecondsRequired - seedSeconds) * 1000);
  const bytesLeft = words.bytes(finding.uploadedBytesRequired - finding.uploadedBytes);
  const what = finding.kind === 'hit-and-run' ? 'counts as a hit and run' : 'will be a hit and run';
  return `“${name}” ${what}: you left ${words.duration(awayMs)} ago. Seed it for ${timeLeft} more, or give ${bytesLeft} more of it.`;
}
