// Programs that a benchmark measures itself against: each a child process with a port and a folder of
// its own, ended by its id when its row is done.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pause } from '#tools/e2e/server.ts';

const START_MS_MAX = 60_000;
const END_MS_MAX = 5000;

export class Child {
  readonly folder: string;
  readonly port: number;
  readonly pid: number;
  readonly #process: ChildProcess;
  readonly #exited: Promise<void>;
  #output = '';

  /** `words` are made from the port and the folder. Resolves when the port takes connections. */
  static async start(
    program: string,
    words: (at: { readonly port: number; readonly folder: string }) => readonly string[],
    options: { readonly isTcp: boolean; readonly environment?: Record<string, string> } = {
      isTcp: true,
    },
  ): Promise<Child> {
    const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-bench-peer-'));
    const port = await freePort();
    const child = new Child({ program, words: words({ port, folder }), port, folder, ...options });
    try {
      if (options.isTcp) await child.#listens();
    } catch (error) {
      await child.end();
      throw error;
    }
    return child;
  }

  private constructor(how: {
    readonly program: string;
    readonly words: readonly string[];
    readonly port: number;
    readonly folder: string;
    readonly environment?: Record<string, string>;
  }) {
    this.folder = how.folder;
    this.port = how.port;
    const environment = { ...process.env, ...how.environment };
    this.#process = spawn(how.program, how.words, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: environment,
    });
    const hear = (part: Buffer): void => {
      this.#output = (this.#output + part.toString('utf8')).slice(-4000);
    };
    this.#process.stdout?.on('data', hear);
    this.#process.stderr?.on('data', hear);
    this.#exited = new Promise((resolve) => {
      this.#process.once('exit', () => resolve());
      this.#process.once('error', (error) => {
        this.#output += error.message;
        resolve();
      });
    });
    this.pid = this.#process.pid ?? 0;
  }

  /** Asked to end, then made to. */
  async end(): Promise<void> {
    if (this.pid !== 0 && this.#process.exitCode === null) {
      this.#process.kill('SIGTERM');
      await Promise.race([this.#exited, pause(END_MS_MAX)]);
      if (this.#process.exitCode === null) this.#process.kill('SIGKILL');
      await this.#exited;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #listens(): Promise<void> {
    const deadline = performance.now() + START_MS_MAX;
    while (performance.now() < deadline && this.#process.exitCode === null && this.pid !== 0) {
      if (await canConnect(this.port)) return;
      await pause(20);
    }
    throw new Error(`${this.#process.spawnfile} does not listen: ${this.#output}`);
  }
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** A port that is free now, for UDP and TCP with all likelihood. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0));
    });
  });
}
