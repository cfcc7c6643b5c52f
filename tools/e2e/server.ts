// A real server for the end-to-end tests: `bin/swarmkeep serve` as a child process with a data folder
// and ports of its own, spoken to as a person would: by its command line and its ports.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const PROGRAM = join(ROOT, 'bin/swarmkeep');
/** Of a busy machine. */
const START_MS_MAX = 240_000;
const COMMAND_MS_MAX = 180_000;
/** Below those that systems give to connections: no socket of somebody else comes to have one. */
const PORT_MIN = 12_000;
/** Of each process, so that tests at the same time choose from others. */
const PORTS_OF_PROCESS = 50;
const PORT_PROCESSES = 400;

export interface ServerOptions {
  /** Where site and tracker listen; the tracker takes all of them. */
  readonly addresses?: readonly string[];
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  /** One that is there already; a fresh one unless given. Removed with the server. */
  readonly dataFolder?: string;
  /** Within which it must answer; four minutes unless given. */
  readonly startMsMax?: number;
}

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class TestServer {
  readonly dataFolder: string;
  readonly sitePort: number;
  readonly trackerPort: number;
  readonly addresses: readonly string[];
  readonly #settings: readonly string[];
  readonly #startMsMax: number;
  /** Everything the server said, over all its lives. */
  output = '';
  #child: ChildProcess | undefined;

  private constructor(ports: { site: number; tracker: number }, options: ServerOptions) {
    this.dataFolder = options.dataFolder ?? mkdtempSync(join(tmpdir(), 'swarmkeep-e2e-'));
    this.#startMsMax = options.startMsMax ?? START_MS_MAX;
    this.sitePort = ports.site;
    this.trackerPort = ports.tracker;
    this.addresses = options.addresses ?? ['127.0.0.1'];
    const settings = {
      'site.address': this.addresses[0] ?? '127.0.0.1',
      'site.port': this.sitePort,
      'tracker.port': this.trackerPort,
      'tracker.addresses': this.addresses.join(','),
      ...options.settings,
    };
    this.#settings = Object.entries(settings).flatMap(([key, value]) => [
      '--set',
      `${key}=${value}`,
    ]);
  }

  /** Chooses free ports and a data folder; starts nothing. */
  static async prepare(options: ServerOptions = {}): Promise<TestServer> {
    return new TestServer({ site: await freePort(), tracker: await freePort() }, options);
  }

  get siteUrl(): string {
    return `http://${this.addresses[0]}:${this.sitePort}`;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error('the server does not run');
    return pid;
  }

  /**
   * Resolves when the site answers, after every tracker door does; at once when it runs already.
   * `isUp` throws until it does, for a site that is asked in another way.
   */
  async start(isUp?: () => void): Promise<void> {
    if (this.#child !== undefined) return;
    const args = ['serve', '--data', this.dataFolder, ...this.#settings];
    const child = spawn(PROGRAM, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    const hear = (part: Buffer): void => {
      this.output += part.toString('utf8');
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    const deadline = performance.now() + this.#startMsMax;
    while (performance.now() < deadline) {
      if (child.exitCode !== null) break;
      if (await this.#answers(isUp)) return;
      await pause(50);
    }
    await this.end('SIGKILL');
    throw new Error(`The server did not start:\n${this.output.slice(-4000)}`);
  }

  /** Sends the signal and resolves with the exit code (null when a signal ended it). */
  async end(signal: 'SIGTERM' | 'SIGKILL' | 'SIGINT'): Promise<number | null> {
    const child = this.#child;
    if (child === undefined) return null;
    this.#child = undefined;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    return await new Promise((resolve) => {
      child.once('exit', (exitCode) => resolve(exitCode));
      child.kill(signal);
    });
  }

  /** Resolves with the exit code of a server that ends by itself. */
  async exited(msMax: number): Promise<number | null> {
    const child = this.#child;
    this.#child = undefined;
    await waitFor('the server to end', msMax, () =>
      child === undefined || child.exitCode !== null || child.signalCode !== null
        ? true
        : undefined,
    );
    return child?.exitCode ?? null;
  }

  /** Runs `swarmkeep …` on this server's data folder. */
  command(words: readonly string[], input = ''): Promise<CommandResult> {
    return runProgram([...words, '--data', this.dataFolder], input);
  }

  /** The same with --json: parsed lines. Throws when it exits with another code than 0. */
  async json<Line>(words: readonly string[], input = ''): Promise<Line[]> {
    const result = await this.command([...words, '--json'], input);
    if (result.exitCode !== 0) {
      throw new Error(`swarmkeep ${words.join(' ')} exited ${result.exitCode}: ${result.stderr}`);
    }
    return result.stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Line);
  }

  /** Ends the server if it runs and removes its folder. */
  async remove(): Promise<void> {
    await this.end('SIGTERM');
    rmSync(this.dataFolder, { recursive: true, force: true });
  }

  async #answers(isUp?: () => void): Promise<boolean> {
    try {
      if (isUp === undefined) await fetch(this.siteUrl, { redirect: 'manual' });
      else isUp();
      return true;
    } catch {
      // Not yet: nothing listens.
      return false;
    }
  }
}

/** Runs bin/swarmkeep to its end. */
export function runProgram(
  words: readonly string[],
  input = '',
  env: NodeJS.ProcessEnv = process.env,
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const options = { timeout: COMMAND_MS_MAX, maxBuffer: 64 * 1024 * 1024, env };
    const child = execFile(PROGRAM, [...words], options, (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      resolve({ exitCode, stdout, stderr });
    });
    child.stdin?.end(input);
  });
}

export function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}

/** Tries until `check` gives a value; throws its last error, or says what was waited for. */
export async function waitFor<Value>(
  what: string,
  msMax: number,
  check: () => Promise<Value | undefined> | Value | undefined,
): Promise<Value> {
  const deadline = performance.now() + msMax;
  for (;;) {
    const value = await check();
    if (value !== undefined) return value;
    if (performance.now() > deadline) throw new Error(`Waited ${msMax} ms in vain for ${what}`);
    await pause(100);
  }
}

/** What the shortest command takes on a machine that does nothing else, amply. */
const QUIET_COMMAND_MS = 600;

/**
 * How many times longer everything takes now than on a machine that does nothing else, 1 there. What is
 * promised in seconds is promised of such a one.
 */
export async function slowness(): Promise<number> {
  const sinceMs = performance.now();
  await runProgram(['--version']);
  return Math.max(1, (performance.now() - sinceMs) / QUIET_COMMAND_MS);
}

let portsTaken = 0;

/**
 * A port that nobody listens on, by TCP or UDP. It stays so while a server is down: a connection that the
 * system finds a port for gets none of these.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < PORTS_OF_PROCESS; tries++) {
    const own = (process.pid % PORT_PROCESSES) * PORTS_OF_PROCESS;
    const port = PORT_MIN + own + (portsTaken++ % PORTS_OF_PROCESS);
    if ((await isFreeTcp(port)) && (await isFreeUdp(port))) return port;
  }
  throw new Error('no port is free');
}

function isFreeTcp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

function isFreeUdp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => socket.close(() => resolve(false)));
    socket.bind(port, '127.0.0.1', () => socket.close(() => resolve(true)));
  });
}
