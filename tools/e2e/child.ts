// A program that a test runs beside itself: its output is kept, and it never outlives the test.

import { type ChildProcess, spawn } from 'node:child_process';

const OUTPUT_CHARS_KEPT = 4 * 1024 * 1024;
const END_MS_MAX = 20_000;

export class Child {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #exit: Promise<number | null>;
  #output = '';
  #lineHandler: (line: string) => void = () => {};
  #unfinished = '';

  constructor(name: string, command: readonly string[], environment: NodeJS.ProcessEnv = {}) {
    this.name = name;
    const [program = '', ...args] = command;
    const child = spawn(program, args, {
      env: { ...process.env, ...environment },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child = child;
    child.stdout.on('data', (part: Buffer) => {
      this.#hear(part.toString('utf8'));
      this.#splitLines(part.toString('utf8'));
    });
    child.stderr.on('data', (part: Buffer) => this.#hear(part.toString('utf8')));
    // A child that is gone cannot be written to; its exit says so already.
    child.stdin.on('error', () => {});
    const endWithParent = (): void => {
      child.kill('SIGKILL');
    };
    process.once('exit', endWithParent);
    this.#exit = new Promise((resolve) => {
      const done = (exitCode: number | null): void => {
        process.removeListener('exit', endWithParent);
        resolve(exitCode);
      };
      child.once('error', (error) => {
        this.#hear(String(error));
        done(127);
      });
      child.once('close', done);
    });
  }

  /** What it wrote to both of its outputs, the newest 4 MiB. */
  get output(): string {
    return this.#output;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  onLine(handler: (line: string) => void): void {
    this.#lineHandler = handler;
  }

  writeLine(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  closeInput(): void {
    this.#child.stdin?.end();
  }

  /** Resolves with its exit code when it ended by itself, or was ended after twenty seconds. */
  async ended(): Promise<number | null> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), END_MS_MAX);
    const exitCode = await this.#exit;
    clearTimeout(timer);
    return exitCode;
  }

  /** Asks it to end, insists after twenty seconds; resolves with its exit code. */
  async end(signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL' = 'SIGTERM'): Promise<number | null> {
    if (!this.hasEnded) this.#child.kill(signal);
    return await this.ended();
  }

  #hear(text: string): void {
    this.#output = (this.#output + text).slice(-OUTPUT_CHARS_KEPT);
  }

  #splitLines(text: string): void {
    const lines = (this.#unfinished + text).split('\n');
    this.#unfinished = lines.pop() ?? '';
    for (const line of lines) this.#lineHandler(line);
  }
}
