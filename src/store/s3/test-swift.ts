// For tests: a real S3 service, OpenStack Swift's, from Debian's python3-swift. It runs as one process
// with a temporary folder (test-swift.py), started once for a test process and ended with it.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { S3Credentials } from './s3-credentials.ts';

/** Debian's own, the one that its packages are for; another may come first in PATH. */
const PYTHON = '/usr/bin/python3';
const SCRIPT = fileURLToPath(new URL('test-swift.py', import.meta.url));

export const SWIFT_CREDENTIALS: S3Credentials = {
  accessKeyId: 'test:tester',
  secretAccessKey: 'testing',
};

/** Why there can be none on this machine; undefined when there can. */
export function swiftMissing(): string | undefined {
  try {
    execFileSync(PYTHON, ['-c', 'import swift'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'Swift is not installed (apt install python3-swift)';
  }
}

export class Swift {
  readonly endpoint: string;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(port: string, child: ChildProcess, folder: string) {
    this.endpoint = `http://127.0.0.1:${port}`;
    this.#child = child;
    this.#folder = folder;
  }

  /** Resolves when it listens. It ends with this process at the latest. */
  static async start(): Promise<Swift> {
    const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-swift-'));
    // It ends when its standard input does, however this process ends.
    const child = spawn(PYTHON, [SCRIPT, folder], { stdio: ['pipe', 'pipe', 'pipe'] });
    let said = '';
    child.stderr.on('data', (part) => {
      said = `${said}${part}`.slice(-2000);
    });
    const port = await new Promise<string>((resolve, reject) => {
      child.stdout.once('data', (line) => resolve(String(line).trim()));
      child.once('exit', () => reject(new Error(`Swift did not start: ${said}`)));
    });
    return new Swift(port, child, folder);
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
