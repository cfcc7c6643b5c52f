// Prometheus text with its label values redacted. Names, figures and help are the program's own; a value
// may come from outside, as the name of a client does.

import type { Redactor } from './redactor.ts';

const LABEL = /="((?:[^"\\]|\\.)*)"/g;

export function redactedMetrics(text: string, redactor: Redactor): readonly string[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.replace(LABEL, (_, value: string) => `="${redactor.text(value)}"`));
}
