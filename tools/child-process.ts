// Runs a program and waits for it: what it printed, how it ended, how long it took.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The root of the repository, where every tool runs its programs. */
export const ROOT: string = fileURLToPath(new URL('..', import.meta.url));

export interface Finished {
  /** Undefined when a signal ended it or it could not be started. */
  readonly exitCode: number | undefined;
  /** Standard output and standard error, in the order they came. */
  readonly output: string;
  readonly ms: number;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Shows the output as it comes, beside keeping it. */
  readonly isShown?: boolean;
}

/** Never rejects: a program that cannot be started has the reason as its output. */
export function runProgram(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Finished> {
  const startedMs = performance.now();
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: ROOT,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const parts: Buffer[] = [];
    const keep = (part: Buffer): void => {
      parts.push(part);
      if (options.isShown) process.stdout.write(part);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const finish = (exitCode: number | undefined): void => {
      const output = Buffer.concat(parts).toString('utf8');
      resolve({ exitCode, output, ms: performance.now() - startedMs });
    };
    child.once('error', (error) => {
      parts.push(Buffer.from(error.message));
      finish(undefined);
    });
    child.once('close', (code) => finish(code ?? undefined));
  });
}

/** Runs a script of an installed package with this Node. */
export function runScript(script: string, args: readonly string[]): Promise<Finished> {
  return runProgram(process.execPath, [`${ROOT}node_modules/${script}`, ...args]);
}

/** `3.2 s` */
export function secondsText(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
