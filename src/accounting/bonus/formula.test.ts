import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type FormulaInput, parseFormula } from './formula.ts';

const INPUT: FormulaInput = { sizeGiB: 8, seedDays: 3, seeders: 2 };

function reckon(text: string): number | string {
  const formula = parseFormula(text);
  return typeof formula === 'string' ? formula : formula(INPUT);
}

test('a formula is reckoned with the usual order of its operators', () => {
  const cases: readonly (readonly [string, number])[] = [
    ['1', 1],
    ['1 + 2 * 3', 7],
    ['(1 + 2) * 3', 9],
    ['10 - 4 - 3', 3],
    ['24 / 4 / 3', 2],
    ['2 ^ 3 ^ 2', 512],
    ['10 + -2 ^ 2', 6],
    ['sizeGiB * seeders', 16],
    ['max(1, seedDays, 2) + min(5, 4)', 7],
    ['sqrt(sizeGiB * 2) + ln(1 + 0)', 4],
  ];
  for (const [text, points] of cases) assert.equal(reckon(text), points, text);
});

test('what is no number above zero gives no points', () => {
  for (const text of ['0 - 5', '1 / 0', 'ln(0)', 'sqrt(0 - 1)', '9 ^ 999']) {
    assert.equal(reckon(text), 0, text);
  }
});

test('a formula that cannot be read is refused in words', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['', /a number or a name is needed at its end/],
    ['1 +', /a number or a name is needed at its end/],
    ['(1', /a closing bracket is needed at its end/],
    ['1 2', /an operator is needed before "2"/],
    ['max 3', /an opening bracket after "max"/],
    ['process + 1', /"process" is none of sizeGiB/],
    ['constructor(1)', /is none of/],
    [`${'('.repeat(40)}1${')'.repeat(40)}`, /nested too deep/],
    ['1+'.repeat(300), /more than 500 characters/],
  ];
  for (const [text, words] of cases) assert.match(String(reckon(text)), words, text);
});

test('any text is read or refused', () => {
  const words = ['1', '2.5', '+', '-', '*', '/', '^', '(', ')', ',', 'ln', 'max', 'seeders', '$'];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...words), { maxLength: 30 }), (list) => {
      const formula = parseFormula(list.join(' '));
      if (typeof formula !== 'string') assert.ok(formula(INPUT) >= 0);
    }),
    { numRuns: 2000 },
  );
});
