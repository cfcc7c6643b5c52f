// What a command looks like to the person or program that ran it: items as text or as JSON lines on
// standard output, progress on standard error (one line redrawn on a terminal, plain lines every few
// seconds and at the end elsewhere), errors as one sentence with their code.

import { styleText } from 'node:util';
import type { Clock } from '#base/clock.ts';
import { codeOf, messageOf } from '#base/errors.ts';
import type { Item, Output } from './command.ts';
import { printableLines } from './printable.ts';

const REDRAW_MS = 100;
const PLAIN_LINE_MS = 5_000;

export interface Terminal {
  readonly stdout: { write(text: string): void };
  readonly stderr: { write(text: string): void; readonly isTTY?: boolean };
  readonly clock: Clock;
}

export class TerminalOutput implements Output {
  readonly signal: AbortSignal;
  readonly #terminal: Terminal;
  readonly #render: (item: Item) => string;
  /** Of the work that `what` names: another begins anew. */
  #startedMs = 0;
  #what = '';
  #shownMs = Number.NEGATIVE_INFINITY;
  #drawn = false;
  /** The newest that was not shown. */
  #pending: string | undefined;

  constructor(terminal: Terminal, render: (item: Item) => string, signal: AbortSignal) {
    this.#terminal = terminal;
    this.#render = render;
    this.signal = signal;
  }

  item(item: Item): void {
    this.#wipe();
    const text = this.#render(item);
    if (text !== '') this.#terminal.stdout.write(`${text}\n`);
  }

  progress(progress: {
    readonly what: string;
    readonly done: number;
    readonly total: number;
  }): void {
    const nowMs = this.#terminal.clock.monotonicMs();
    if (progress.what !== this.#what) {
      this.#showPending();
      this.#startedMs = nowMs;
      this.#what = progress.what;
    }
    const isTerminal = this.#terminal.stderr.isTTY === true;
    const line = progressLine(progress, nowMs - this.#startedMs);
    this.#pending = line;
    if (nowMs - this.#shownMs < (isTerminal ? REDRAW_MS : PLAIN_LINE_MS)) return;
    this.#shownMs = nowMs;
    this.#pending = undefined;
    if (isTerminal) {
      this.#terminal.stderr.write(`\r\u001b[K${line}`);
      this.#drawn = true;
    } else {
      this.#terminal.stderr.write(`${line}\n`);
    }
  }

  /** Takes the line away, so that what follows starts at the margin; elsewhere the last one stands. */
  end(): void {
    this.#wipe();
    this.#showPending();
  }

  /** Where lines are kept, the last of a work says how far it came. */
  #showPending(): void {
    if (this.#pending !== undefined && this.#terminal.stderr.isTTY !== true) {
      this.#terminal.stderr.write(`${this.#pending}\n`);
    }
    this.#pending = undefined;
  }

  #wipe(): void {
    if (!this.#drawn) return;
    this.#terminal.stderr.write('\r\u001b[K');
    this.#drawn = false;
  }
}

/** `audit: 120,000 of 400,000 (30 %), 60,000/s, 5 s left` */
export function progressLine(
  progress: { readonly what: string; readonly done: number; readonly total: number },
  elapsedMs: number,
): string {
  const rate = elapsedMs > 0 ? (progress.done * 1000) / elapsedMs : 0;
  const parts = [`${progress.what}: ${count(progress.done)}`];
  if (progress.total > 0) {
    // What came after the total was counted is done too.
    const total = Math.max(progress.total, progress.done);
    parts[0] += ` of ${count(total)} (${Math.floor((progress.done * 100) / total)} %)`;
  }
  if (rate >= 1) parts.push(`${count(Math.round(rate))}/s`);
  if (rate > 0 && progress.total > progress.done) {
    parts.push(`${count(Math.ceil((progress.total - progress.done) / rate))} s left`);
  }
  return parts.join(', ');
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** `swarmkeep: Cannot … [LOG_TOPIC_UNKNOWN]`, in red on a terminal. */
export function errorLine(error: unknown, isTerminal: boolean): string {
  const code = codeOf(error);
  const text = `swarmkeep: ${printableLines(messageOf(error))}${code === undefined ? '' : ` [${code}]`}`;
  return isTerminal ? styleText('red', text) : text;
}
