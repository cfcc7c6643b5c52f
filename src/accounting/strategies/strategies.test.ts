// The strategies one by one, at their borders, and what must hold for each of them: giving more, or
// seeding longer, never makes a verdict worse.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type RulesConfig, rulesConfig } from '#accounting/rules-config.ts';
import { makeStrategy } from './make-strategy.ts';
import { REQUIRED_RATIO_STEPS } from './required-ratio.ts';
import {
  type MemberHistory,
  STRATEGY_NAMES,
  type TorrentHistory,
  type Verdict,
  type VerdictState,
} from './strategy.ts';
import { findingWords } from './verdict-words.ts';

const GIB = 2 ** 30;
const DAY = 86_400_000;
const NOW = Date.UTC(2026, 5, 15, 12);
const TODAY = Date.UTC(2026, 5, 15);

function history(some: Partial<MemberHistory> = {}): MemberHistory {
  return {
    nowMs: NOW,
    joinedMs: NOW - 365 * DAY,
    uploadedBytes: 0,
    downloadedBytes: 0,
    days: [],
    torrents: [],
    ...some,
  };
}

function torrent(some: Partial<TorrentHistory> = {}): TorrentHistory {
  return {
    torrentId: 1,
    name: 'field recordings',
    sizeBytes: 10 * GIB,
    uploadedBytes: 0,
    downloadedBytes: 10 * GIB,
    seedSeconds: 0,
    completedMs: NOW - 30 * DAY,
    lastSeenMs: NOW,
    lastSeededMs: some.lastSeenMs ?? NOW,
    isSeeding: false,
    leechers: 1,
    isExempt: false,
    ...some,
  };
}

function judge(rules: Partial<RulesConfig>, some: Partial<MemberHistory>): Verdict {
  return makeStrategy({ ...rulesConfig.parse({}), ...rules }).judge(history(some));
}

function requiredOf(verdict: Verdict): number {
  const ratio = verdict.findings.find((finding) => finding.kind === 'ratio');
  assert.ok(ratio?.kind === 'ratio');
  return ratio.required;
}

test('free: whoever gave nothing back is met', () => {
  const verdict = judge({ strategy: 'free' }, { downloadedBytes: 1e15 });
  assert.deepEqual(verdict, { state: 'met', findings: [{ kind: 'no-rule' }] });
});

test('upload-download: asks for the ratio once the grace is used up, and not a byte earlier', () => {
  const rules = { strategy: 'upload-download', ratioRequired: 0.5 } as const;
  assert.equal(judge(rules, { downloadedBytes: 5 * GIB }).state, 'met');
  assert.equal(judge(rules, { downloadedBytes: 5 * GIB + 1 }).state, 'short');
  const downloadedBytes = 8 * GIB;
  assert.equal(judge(rules, { downloadedBytes, uploadedBytes: 4 * GIB }).state, 'met');
  assert.equal(judge(rules, { downloadedBytes, uploadedBytes: 4 * GIB - 1 }).state, 'short');
});

test('required-ratio: each of the ten steps asks for its most of those who seed nothing', () => {
  for (const [at, step] of REQUIRED_RATIO_STEPS.entries()) {
    if (at === 0) continue;
    for (const extra of [0, 1]) {
      const downloadedBytes = step.fromGib * GIB + extra;
      const verdict = judge({ strategy: 'required-ratio' }, { downloadedBytes });
      assert.equal(requiredOf(verdict), step.max, `${step.fromGib} GiB and ${extra}`);
      assert.equal(verdict.state, 'short');
    }
  }
  const below = judge({ strategy: 'required-ratio' }, { downloadedBytes: 5 * GIB - 1 });
  assert.equal(below.state, 'met');
});

test('required-ratio: seeding half of what was completed over the week halves what is asked', () => {
  const torrents = [1, 2, 3, 4].map((torrentId) => torrent({ torrentId }));
  // Two torrents at a time, all day, for the seven whole days before today and today's half.
  const days = Array.from({ length: 8 }, (_, ago) => ({
    dayMs: TODAY - ago * DAY,
    seedSeconds: (ago === 0 ? 43_200 : 86_400) * 2,
    leechSeconds: 0,
  }));
  const some = { downloadedBytes: 25 * GIB, torrents, days };
  const verdict = judge({ strategy: 'required-ratio' }, some);
  assert.ok(Math.abs(requiredOf(verdict) - 0.15) < 1e-9, `${requiredOf(verdict)}`);
  const all = days.map((day) => ({ ...day, seedSeconds: day.seedSeconds * 2 }));
  assert.equal(requiredOf(judge({ strategy: 'required-ratio' }, { ...some, days: all })), 0.05);
});

test('required-ratio: one day of seeding by a new member counts as a third, not as a week', () => {
  const some = {
    joinedMs: NOW - DAY,
    downloadedBytes: 25 * GIB,
    torrents: [torrent()],
    days: [{ dayMs: TODAY - DAY, seedSeconds: 86_400, leechSeconds: 0 }],
  };
  const required = requiredOf(judge({ strategy: 'required-ratio' }, some));
  assert.ok(Math.abs(required - 0.3 * (1 - 1 / 3)) < 1e-9, `${required}`);
});

test('seed-leech: a torrent seeded long enough counts when it is not seeded any more', () => {
  const rules = { strategy: 'seed-leech', seedLeechGraceTorrents: 0 } as const;
  const two = [torrent({ torrentId: 1, isSeeding: true }), torrent({ torrentId: 2 })];
  assert.equal(judge(rules, { torrents: two }).state, 'met');
  const three = [...two, torrent({ torrentId: 3 })];
  assert.equal(judge(rules, { torrents: three }).state, 'short');
  const long = [...two, torrent({ torrentId: 3, seedSeconds: 7 * 86_400 })];
  assert.equal(judge(rules, { torrents: long }).state, 'met');
  const uploads = [...two, torrent({ torrentId: 3, downloadedBytes: 0 })];
  assert.equal(judge(rules, { torrents: uploads }).state, 'met', 'own uploads were not taken');
});

test('seed-leech-time: only the days of the window count', () => {
  const rules = { strategy: 'seed-leech-time', seedLeechTimeGraceSeconds: 0 } as const;
  const seeded = { dayMs: TODAY - 30 * DAY, seedSeconds: 4000, leechSeconds: 0 };
  const leeched = { dayMs: TODAY - DAY, seedSeconds: 0, leechSeconds: 4000 };
  assert.equal(judge(rules, { days: [seeded, leeched] }).state, 'met');
  const earlier = { ...seeded, dayMs: TODAY - 31 * DAY };
  assert.equal(judge(rules, { days: [earlier, leeched] }).state, 'short');
});

test('seed-time: warned after a day, a hit and run after three, and short with more than two', () => {
  const rules = { strategy: 'seed-time' } as const;
  const away = (awayMs: number, torrentId = 1) => torrent({ torrentId, lastSeenMs: NOW - awayMs });
  assert.equal(judge(rules, { torrents: [away(DAY - 1)] }).state, 'met');
  const warned = judge(rules, { torrents: [away(DAY)] });
  assert.deepEqual([warned.state, warned.findings[1]?.kind], ['warned', 'left-early']);
  const run = judge(rules, { torrents: [away(3 * DAY)] });
  assert.deepEqual([run.state, run.findings[1]?.kind], ['warned', 'hit-and-run']);
  const three = [1, 2, 3].map((torrentId) => away(3 * DAY, torrentId));
  assert.equal(judge(rules, { torrents: three }).state, 'short');
});

test('seed-time: a hit and run is one, also when the warning would come later', () => {
  const rules = {
    strategy: 'seed-time',
    seedTimeWarnAfterMs: 5 * DAY,
    seedTimeHitAndRunAfterMs: DAY,
    seedTimeHitAndRunsMax: 0,
  } as const;
  const away = torrent({ lastSeenMs: NOW - 2 * DAY });
  assert.equal(judge(rules, { torrents: [away] }).state, 'short');
});

test('while nothing is asked yet, the words do not say that something is', () => {
  const words = { bytes: String, duration: (ms: number) => `${ms / 1000} s`, quotient: String };
  const say = (rules: Partial<RulesConfig>, some: Partial<MemberHistory>): string => {
    const [finding] = judge(rules, some).findings;
    assert.ok(finding !== undefined);
    return findingWords(finding, words);
  };
  const one = { torrents: [torrent()] };
  const counted = { strategy: 'seed-leech', seedLeechRequired: 1 } as const;
  assert.match(say(counted, one), /^Of the 1 torrent that.*up to 3 taken nothing is asked\.$/);
  const strict = { ...counted, seedLeechGraceTorrents: 0 };
  assert.match(say(strict, one), /0; 1 is required\.$/);
  const timed = { strategy: 'seed-leech-time', seedLeechTimeGraceSeconds: 100 } as const;
  const day = (leechSeconds: number) => ({
    days: [{ dayMs: TODAY - DAY, seedSeconds: 0, leechSeconds }],
  });
  assert.match(say(timed, day(100)), /up to 100 s of downloading nothing is asked\.$/);
  assert.match(say(timed, day(101)), /each hour of downloading asks for 1 hours of seeding\.$/);
});

test('seed-time: what excuses a torrent, one by one', () => {
  const gone = { lastSeenMs: NOW - 30 * DAY };
  const excuses: readonly Partial<TorrentHistory>[] = [
    { isExempt: true },
    { isSeeding: true },
    { leechers: 0 },
    { downloadedBytes: GIB },
    { seedSeconds: 7 * 86_400 },
    { uploadedBytes: 10 * GIB },
  ];
  for (const excuse of excuses) {
    const verdict = judge(
      { strategy: 'seed-time' },
      { torrents: [torrent({ ...gone, ...excuse })] },
    );
    assert.equal(verdict.state, 'met', JSON.stringify(excuse));
  }
  const almost: readonly Partial<TorrentHistory>[] = [
    { downloadedBytes: GIB + 1 },
    { seedSeconds: 7 * 86_400 - 1 },
    { uploadedBytes: 10 * GIB - 1 },
  ];
  for (const excuse of almost) {
    const verdict = judge(
      { strategy: 'seed-time' },
      { torrents: [torrent({ ...gone, ...excuse })] },
    );
    assert.equal(verdict.state, 'warned', JSON.stringify(excuse));
  }
});

test('seed-time: a second client that only downloads neither excuses nor accuses', () => {
  const verdictOf = (some: Partial<TorrentHistory>) =>
    judge({ strategy: 'seed-time', seedTimeHitAndRunsMax: 0 }, { torrents: [torrent(some)] }).state;
  // It announces now, and everybody's other client left four days ago.
  assert.equal(verdictOf({ lastSeenMs: NOW, lastSeededMs: NOW - 4 * DAY }), 'short');
  assert.equal(verdictOf({ lastSeenMs: NOW, lastSeededMs: NOW - 4 * DAY, isSeeding: true }), 'met');
  // Who is still at it, and never had everything, is there.
  assert.equal(verdictOf({ completedMs: 0, lastSeenMs: NOW, lastSeededMs: 0 }), 'met');
  assert.equal(verdictOf({ completedMs: 0, lastSeenMs: NOW - 4 * DAY, lastSeededMs: 0 }), 'short');
  // Completed a moment ago, it has not said yet that it seeds.
  assert.equal(verdictOf({ completedMs: NOW, lastSeenMs: NOW, lastSeededMs: 0 }), 'met');
});

const RANK: Readonly<Record<VerdictState, number>> = { met: 0, warned: 1, short: 2 };

const anyTorrent = fc.record({
  torrentId: fc.integer({ min: 1, max: 1e6 }),
  name: fc.string(),
  sizeBytes: fc.integer({ min: 1, max: 2 ** 45 }),
  uploadedBytes: fc.integer({ min: 0, max: 2 ** 45 }),
  downloadedBytes: fc.integer({ min: 0, max: 2 ** 45 }),
  seedSeconds: fc.integer({ min: 0, max: 1e7 }),
  completedMs: fc.constantFrom(0, NOW - DAY),
  lastSeenMs: fc.integer({ min: NOW - 10 * DAY, max: NOW }),
  lastSeededMs: fc.integer({ min: NOW - 10 * DAY, max: NOW }),
  isSeeding: fc.boolean(),
  leechers: fc.integer({ min: 0, max: 3 }),
  isExempt: fc.boolean(),
});

const anyHistory = fc.record({
  nowMs: fc.constant(NOW),
  joinedMs: fc.integer({ min: NOW - 400 * DAY, max: NOW }),
  uploadedBytes: fc.integer({ min: 0, max: 2 ** 50 }),
  downloadedBytes: fc.integer({ min: 0, max: 2 ** 50 }),
  days: fc.array(
    fc.record({
      dayMs: fc.integer({ min: 0, max: 60 }).map((ago) => TODAY - ago * DAY),
      seedSeconds: fc.integer({ min: 0, max: 1e7 }),
      leechSeconds: fc.integer({ min: 0, max: 1e6 }),
    }),
    { maxLength: 20 },
  ),
  torrents: fc.array(anyTorrent, { maxLength: 8 }),
});

for (const name of STRATEGY_NAMES) {
  const strategy = makeStrategy({ ...rulesConfig.parse({}), strategy: name });

  test(`${name}: giving more and seeding longer never makes the verdict worse`, () => {
    fc.assert(
      fc.property(anyHistory, fc.integer({ min: 0, max: 2 ** 40 }), (before, more) => {
        const after: MemberHistory = {
          ...before,
          uploadedBytes: before.uploadedBytes + more,
          days: before.days.map((day) => ({ ...day, seedSeconds: day.seedSeconds + more })),
          torrents: before.torrents.map((one) => ({
            ...one,
            uploadedBytes: one.uploadedBytes + more,
            seedSeconds: one.seedSeconds + more,
          })),
        };
        const [was, is] = [strategy.judge(before), strategy.judge(after)];
        assert.ok(RANK[is.state] <= RANK[was.state], `${was.state} became ${is.state}`);
      }),
    );
  });

  test(`${name}: every verdict has reasons that can be read`, () => {
    const words = {
      bytes: (bytes: number) => `${bytes} bytes`,
      duration: (ms: number) => `${ms} ms`,
      quotient: (quotient: number) => quotient.toFixed(2),
    };
    fc.assert(
      fc.property(anyHistory, (some) => {
        const { findings } = strategy.judge(some);
        assert.ok(findings.length > 0);
        for (const finding of findings) {
          const sentence = findingWords(finding, words);
          assert.match(sentence, /^[“A-Z].*[.]$/s);
          assert.doesNotMatch(sentence.replaceAll(/“.*”/gs, ''), /NaN|undefined|Infinity|-\d/);
        }
      }),
    );
  });
}
