// The lines that classes are written in, and the state machine over simulated months.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type MemberClass, parseClasses } from './class-list.ts';
import {
  type ClassFacts,
  type ClassStanding,
  type ClassStep,
  NEW_CLASS_STANDING,
  nextClass,
  placeOf,
} from './class-watch.ts';

const GIB = 2 ** 30;
const DAY_MS = 86_400_000;
const GRACE_MS = 7 * DAY_MS;
const LINES = [
  'Member',
  'Power member: given 25 GiB, ratio 1.05, age 14 d; keeps ratio 0.95',
  'Elite: given 100 GiB, ratio 1.05, uploads 2, age 28 d; keeps ratio 0.95, given 100 GiB',
];

function classesOf(lines: readonly string[]): readonly MemberClass[] {
  const classes = parseClasses(lines);
  assert.ok(typeof classes !== 'string', String(classes));
  return classes;
}

const CLASSES = classesOf(LINES);
const RULES = { classes: CLASSES, graceMs: GRACE_MS };

function facts(given: Partial<ClassFacts>): ClassFacts {
  const nothing = { uploadedBytes: 0, downloadedBytes: 0, seededMs: 0, uploads: 0 };
  return { nowMs: 100 * DAY_MS, joinedMs: 0, ...nothing, ...given };
}

test('lines of classes are read, in every unit', () => {
  assert.deepEqual(CLASSES[1], {
    name: 'Power member',
    rises: [
      { kind: 'given', value: 25 * GIB },
      { kind: 'ratio', value: 1.05 },
      { kind: 'age', value: 14 * DAY_MS },
    ],
    keeps: [{ kind: 'ratio', value: 0.95 }],
  });
  const [, other] = classesOf(['A', 'Ünïk: seeded 1.5 h, uploads 3']);
  assert.deepEqual(other?.rises, [
    { kind: 'seeded', value: 5_400_000 },
    { kind: 'uploads', value: 3 },
  ]);
});

test('what cannot be read is refused in words', () => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['', /everybody begins in/],
    ['A: given 1 GiB', /may ask for nothing/],
    ['A\nB', /must ask for something/],
    ['A\nB: given much', /write "given 25 GiB"/],
    ['A\nB: given 5 GiB, given 6 GiB', /stands twice/],
    ['A\nB: karma 5', /expected given, ratio/],
    ['A\na: ratio 1', /two classes/],
    ['A\nB: ratio 1; but given 5 GiB', /begins "keeps"/],
    ['A\nB: ratio 1; keeps ratio 1; keeps age 1 d', /one semicolon/],
    ['A\n<b>: ratio 1', /letters and digits/],
    ['A\nB: given 9999999999999 PiB', /write "given 25 GiB"/],
    [Array.from({ length: 30 }, (_, at) => (at === 0 ? 'A' : `C${at}: ratio 1`)).join('\n'), /20/],
  ];
  for (const [text, words] of wrong) {
    const parsed = parseClasses(text.split('\n'));
    assert.ok(typeof parsed === 'string' && words.test(parsed), `${text}: ${String(parsed)}`);
  }
});

test('no text makes the parser throw', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' }), { maxLength: 5 }), (lines) => {
      parseClasses(lines);
      parseClasses(['A', `B: ${lines.join(',')}; keeps ${lines.join(' ')}`]);
    }),
    { numRuns: 2000 },
  );
});

test('every transition of the table', () => {
  const good = facts({ uploadedBytes: 30 * GIB, downloadedBytes: 10 * GIB });
  const poor = facts({ uploadedBytes: 30 * GIB, downloadedBytes: 40 * GIB });
  const rises = nextClass(NEW_CLASS_STANDING, good, RULES);
  assert.equal(rises?.step, 'promoted');
  assert.equal(rises.from, 'Member');
  assert.deepEqual(rises.to, { name: 'Power member', sinceMs: good.nowMs, warnedUntilMs: 0 });
  assert.equal(nextClass(rises.to, good, RULES), undefined, 'kept');
  const warned = nextClass(rises.to, poor, RULES);
  assert.equal(warned?.step, 'warned');
  assert.equal(warned.to.warnedUntilMs, poor.nowMs + GRACE_MS);
  assert.deepEqual(
    warned.findings.map(({ kind, isMet }) => [kind, isMet]),
    [['ratio', false]],
  );
  assert.equal(nextClass(warned.to, poor, RULES), undefined, 'the time is not up');
  const settled = nextClass(warned.to, good, RULES);
  assert.equal(settled?.step, 'settled');
  assert.equal(settled.to.sinceMs, rises.to.sinceMs, 'the class was never left');
  const late = facts({ ...poor, nowMs: warned.to.warnedUntilMs });
  const demoted = nextClass(warned.to, late, RULES);
  assert.equal(demoted?.step, 'demoted');
  assert.equal(demoted.to.name, 'Member');
  const rich = facts({ uploadedBytes: 200 * GIB, uploads: 5 });
  assert.equal(nextClass(warned.to, rich, RULES)?.step, 'promoted', 'out of a warning, upwards');
  assert.equal(nextClass(demoted.to, poor, RULES), undefined, 'below the first there is nothing');
  const gone = { name: 'Baron', sinceMs: 5, warnedUntilMs: 0 };
  assert.equal(nextClass(gone, poor, RULES), undefined);
  assert.equal(
    nextClass(gone, good, RULES)?.from,
    'Member',
    'a class that is no more is the first',
  );
});

test('nobody rises into a warning, and a check moves by one class at most', () => {
  const amounts = fc.integer({ min: 0, max: 300 }).map((gib) => gib * GIB);
  fc.assert(
    fc.property(
      fc.record({
        uploadedBytes: amounts,
        downloadedBytes: amounts,
        uploads: fc.nat(5),
        days: fc.nat(60),
        name: fc.constantFrom('', 'Member', 'Power member', 'Elite'),
      }),
      ({ days, name, ...given }) => {
        const now = facts({ ...given, nowMs: days * DAY_MS });
        const standing = { ...NEW_CLASS_STANDING, name };
        const made = nextClass(standing, now, RULES);
        if (made === undefined) return;
        const moved = placeOf(made.to, CLASSES) - placeOf(standing, CLASSES);
        assert.ok(Math.abs(moved) <= 1);
        if (made.step === 'promoted')
          assert.notEqual(nextClass(made.to, now, RULES)?.step, 'warned');
      },
    ),
  );
});

test('a year of a member who gives, rests, takes and gives again', () => {
  let standing: ClassStanding = NEW_CLASS_STANDING;
  const steps: (readonly [day: number, step: ClassStep, name: string])[] = [];
  for (let day = 0; day <= 365; day++) {
    const given = Math.min(day, 120) * GIB + Math.max(0, day - 250) * 2 * GIB;
    const taken = day < 150 ? 20 * GIB : Math.min(day - 130, 120) * 2 * GIB;
    const now = facts({
      nowMs: day * DAY_MS,
      uploadedBytes: given,
      downloadedBytes: taken,
      uploads: day < 60 ? 0 : 3,
    });
    const made = nextClass(standing, now, RULES);
    if (made === undefined) continue;
    standing = made.to;
    steps.push([day, made.step, made.to.name]);
  }
  assert.deepEqual(steps, [
    [25, 'promoted', 'Power member'],
    [100, 'promoted', 'Elite'],
    [194, 'warned', 'Elite'],
    [201, 'demoted', 'Power member'],
    [202, 'warned', 'Power member'],
    [209, 'demoted', 'Member'],
    [316, 'promoted', 'Power member'],
    [317, 'promoted', 'Elite'],
  ]);
});
