// A cheat signal in words: what was seen, with its numbers, and what honest clients may look like it.

import type { SignalKind } from '#accounting/signals/signal-watch.ts';
import type { KnownSignal } from '#accounting/signals/signals.ts';
import { formatBytes } from '#site/format/bytes.ts';
import { formatDuration } from '#site/format/time.ts';

interface Words {
  readonly label: string;
  /** What an honest explanation would be. */
  readonly honest: string;
  readonly seen: (evidence: Readonly<Record<string, number>>) => string;
}

const WORDS: Readonly<Record<SignalKind, Words>> = {
  'too-fast': {
    label: 'Faster than a line',
    honest: 'A server with a very fast line; raise the limit then.',
    seen: (of) =>
      `Gave ${formatBytes(of['bytes'] ?? 0)} in ${formatDuration((of['seconds'] ?? 0) * 1000)}: ${formatBytes(of['bytesPerSecond'] ?? 0)} a second.`,
  },
  'no-leechers': {
    label: 'Gave, and nobody took',
    honest: 'Somebody took it who never announced here.',
    seen: (of) =>
      `Gave ${formatBytes(of['bytes'] ?? 0)} while nobody else wanted anything of this torrent.`,
  },
  'many-networks': {
    label: 'Many networks at once',
    honest: 'Travel, a VPN that changes its exit, several seedboxes.',
    seen: (of) =>
      `Announced from ${of['networks'] ?? 0} networks of IPv${of['family'] ?? 4} in an hour.`,
  },
  'left-jump': {
    label: 'Has more than it took',
    honest: 'Files that were there already and were checked without a restart.',
    seen: (of) =>
      `Missed ${formatBytes(of['before'] ?? 0)}, then ${formatBytes(of['left'] ?? 0)}, and took ${formatBytes(of['taken'] ?? 0)} in between.`,
  },
  'gives-without-any': {
    label: 'Gives what it has not',
    honest: 'Hardly any: it says that it has nothing, and that it gave.',
    seen: (of) =>
      `Gave ${formatBytes(of['bytes'] ?? 0)} while all ${formatBytes(of['size'] ?? 0)} were missing.`,
  },
};

export function signalLabel(kind: SignalKind): string {
  return WORDS[kind].label;
}

export function signalHonest(kind: SignalKind): string {
  return WORDS[kind].honest;
}

export function signalSeen({ kind, evidence }: KnownSignal): string {
  return WORDS[kind].seen(evidence);
}
