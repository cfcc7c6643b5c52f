// Standard input, read to its end with a bound.

import type { Item, Words } from './command.ts';
import { CliError } from './errors.ts';

const INPUT_BYTES_MAX = 16 * 1024 * 1024;

export async function readStandardInput(): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of process.stdin as AsyncIterable<Buffer>) {
    size += part.byteLength;
    if (size > INPUT_BYTES_MAX) {
      throw new CliError('CLI_USAGE', `Cannot read more than ${INPUT_BYTES_MAX} bytes from stdin`);
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** Lines without their ends; a last line without one counts too. */
export async function readLines(): Promise<string[]> {
  return linesOf((await readStandardInput()).toString('utf8'));
}

/** What `--password-stdin` gives: nothing without it. @throws CliError CLI_USAGE */
export async function passwordFrom(words: Words): Promise<Item> {
  if (words.options['passwordStdin'] !== true) return {};
  const password = (await readLines())[0] ?? '';
  if (password === '') throw new CliError('CLI_USAGE', 'Standard input holds no password');
  return { password };
}

export function linesOf(text: string): string[] {
  const lines = text.split('\n').map((line) => line.replace(/\r$/, ''));
  if (lines.at(-1) === '') lines.pop();
  return lines;
}
