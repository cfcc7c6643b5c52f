// A file that a command writes its answer to: under another name beside it until all is there and on the
// medium, so that whatever fails leaves what was there before. What is no file, a pipe or a terminal, gets
// the bytes as they come.

import {
  chmodSync,
  closeSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs';
import { codeOf } from '#base/errors.ts';
import { CliError } from './errors.ts';

export class OutputFile {
  readonly #path: string;
  /** Undefined where there is nothing to rename. */
  readonly #half: string | undefined;
  readonly #modeBefore: number | undefined;
  readonly #descriptor: number;

  /**
   * Makes nothing under its own name yet; `mode` is that of a new file.
   * @throws CliError CLI_USAGE: it is a folder, or cannot be made
   */
  constructor(path: string, mode = 0o666) {
    try {
      const found = statSync(path, { throwIfNoEntry: false });
      if (found?.isDirectory() === true) throw asked(path, 'it is a folder');
      // What a link leads to is written, not the link.
      this.#path = found === undefined ? path : realpathSync(path);
      this.#modeBefore = modeOf(found);
      const isDirect = found !== undefined && !found.isFile();
      this.#half = isDirect ? undefined : `${this.#path}.${process.pid}.new`;
      this.#descriptor = openSync(this.#half ?? this.#path, 'w', mode);
    } catch (cause) {
      if (cause instanceof CliError) throw cause;
      throw asked(path, `the system refuses it (${codeOf(cause)})`, cause);
    }
  }

  write(bytes: Uint8Array): void {
    writeFileSync(this.#descriptor, bytes);
  }

  /** On the medium, under its own name. */
  finish(): void {
    if (this.#half !== undefined) fsyncSync(this.#descriptor);
    closeSync(this.#descriptor);
    if (this.#half === undefined) return;
    if (this.#modeBefore !== undefined) chmodSync(this.#half, this.#modeBefore);
    renameSync(this.#half, this.#path);
  }

  /** As if it had never been begun. */
  abandon(): void {
    try {
      closeSync(this.#descriptor);
    } catch {
      // It was closed before the renaming failed.
    }
    if (this.#half !== undefined) rmSync(this.#half, { force: true });
  }
}

function modeOf(found: Stats | undefined): number | undefined {
  return found?.isFile() === true ? found.mode & 0o777 : undefined;
}

function asked(path: string, why: string, cause?: unknown): CliError {
  const words = `Cannot write "${path}": ${why}`;
  return new CliError('CLI_USAGE', words, cause === undefined ? {} : { cause });
}
