// Standard input, read to its end with a bound.

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

export function linesOf(text: string): string[] {
  const lines = text.split('\n').map((line) => line.replace(/\r$/, ''));
  if (lines.at(-1) === '') lines.pop();
  return lines;
}
