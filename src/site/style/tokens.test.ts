import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COLOURS, contrast, PAIRS, tokenStyle } from './tokens.ts';

test('contrast() gives the ratios of WCAG for known pairs', () => {
  assert.equal(contrast('#000000', '#ffffff'), 21);
  assert.equal(contrast('#ffffff', '#ffffff'), 1);
  assert.equal(contrast('#777777', '#ffffff').toFixed(2), '4.48');
});

test('every pair of colours that is used together has AA contrast in both themes', () => {
  const poor: string[] = [];
  for (const { front, ground, ratioMin } of PAIRS) {
    for (const theme of ['light', 'dark'] as const) {
      const ratio = contrast(COLOURS[front][theme], COLOURS[ground][theme]);
      if (ratio < ratioMin) poor.push(`${theme}: ${front} on ${ground} is ${ratio.toFixed(2)}`);
    }
  }
  assert.deepEqual(poor, []);
});

test('each colour is six hexadecimal digits and stands in the style sheet', () => {
  const style = tokenStyle();
  for (const { light, dark } of Object.values(COLOURS)) {
    assert.match(light, /^#[0-9a-f]{6}$/);
    assert.match(dark, /^#[0-9a-f]{6}$/);
    assert.ok(style.includes(`light-dark(${light}, ${dark})`));
  }
});
