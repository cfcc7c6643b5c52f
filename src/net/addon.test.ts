import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import { findOrBuildAddon } from '#cli/addon-build.ts';
import { Registry } from '#metrics/registry.ts';
import { testSeed } from '#sim/seed.ts';
import { loadAddon } from './addon.ts';
import { openSockets, type SocketsWorld } from './sockets.ts';

const place = findOrBuildAddon();
const skip = 'why' in place ? `no addon here: ${place.why}` : false;
const path = 'path' in place ? place.path : '';
const FUZZ_MS = 3000;
/** The system's. */
const COMPILER = 'cc';
const FUZZ_SCRIPT = fileURLToPath(new URL('./test-addon-fuzz.ts', import.meta.url));
const DESCRIPTORS_SCRIPT = fileURLToPath(new URL('./test-few-descriptors.ts', import.meta.url));
const NODE_OPTIONS = ['--disable-warning=ExperimentalWarning', '-C', 'swarmkeep-src'];

describe('the addon', { skip }, () => {
  test('random calls, traffic, closes and ended threads break nothing, under sanitizers', async (t) => {
    const sanitized = findOrBuildAddon({
      flags: [
        '-g',
        '-fsanitize=address,undefined',
        '-fno-sanitize-recover=undefined',
        '-fno-omit-frame-pointer',
      ],
    });
    const library = sanitizerLibrary();
    if ('why' in sanitized || library === undefined) t.diagnostic('no sanitizer here: run without');
    const isSanitized = 'path' in sanitized && library !== undefined;
    const seed = testSeed(t, 1);
    const binary = isSanitized ? sanitized.path : path;
    const command = [FUZZ_SCRIPT, binary, String(seed), String(FUZZ_MS)];
    const child = spawn(process.execPath, [...NODE_OPTIONS, ...command], {
      env: {
        ...process.env,
        // What Node itself keeps until it ends is no leak of ours.
        ...(isSanitized && { LD_PRELOAD: library, ASAN_OPTIONS: 'detect_leaks=0' }),
      },
      // Far more than the start of a sanitized process takes on a busy machine.
      timeout: 150_000,
      killSignal: 'SIGKILL',
    });
    const { code, output } = await finished(child);
    assert.equal(code, 0, `replay: node ${NODE_OPTIONS.join(' ')} ${command.join(' ')}\n${output}`);
  });

  test('without descriptors connections are shed, and served again when there are some', async () => {
    const child = spawn(
      'sh',
      [
        '-c',
        'ulimit -n 64; exec "$@"',
        'sh',
        process.execPath,
        ...NODE_OPTIONS,
        DESCRIPTORS_SCRIPT,
        path,
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const lines = new Lines(child);
    const port = Number(await lines.until(/^(\d+)\n/));
    const knocks = await Promise.all(Array.from({ length: 30 }, () => ask(port)));
    const answered = knocks.filter(({ text }) => text === 'ask\n').length;
    assert.ok(answered > 0 && answered < 30, `${answered} of 30 answered`);
    for (const { socket } of knocks) socket.destroy();
    child.stdin?.write('more\n');
    await lines.until(/(freed)/);
    const after = await Promise.all(Array.from({ length: 10 }, () => ask(port)));
    assert.equal(after.filter(({ text }) => text === 'ask\n').length, 10);
    for (const { socket } of after) socket.destroy();
    child.stdin?.end('metrics\n');
    const { output } = await lines.finished;
    assert.match(output, /dropped_total\{reason="no descriptors"\} [1-9]/);
    assert.match(output, /failures_total\{code="EMFILE",kind="accept"\} [1-9]/);
  });

  test('one binary loads in every Node: the one that runs this and the one in the path', (t) => {
    const code = `process.stdout.write(process.version + ' ' + require(${JSON.stringify(path)}).version)`;
    for (const program of [process.execPath, ...otherNodes()]) {
      const said = execFileSync(program, ['-e', code], { encoding: 'utf8' });
      assert.match(said, /^v\d+\.\d+\.\d+ 9$/);
      t.diagnostic(said);
    }
  });
});

describe('openSockets()', () => {
  const world = (addon: SocketsWorld['addon']): SocketsWorld => ({
    clock: new SystemClock(),
    logger: silentLogger,
    metrics: new Registry(),
    addon,
  });

  test('says why it opens Node’s own sockets', () => {
    const missing = openSockets(world({ why: 'no C compiler' }), 'auto');
    assert.deepEqual([missing.kind, missing.why], ['node', 'no C compiler']);
    const broken = openSockets(world({ path: '/nowhere/addon.node' }), 'batched');
    assert.equal(broken.kind, 'node');
    assert.match(broken.why, /nowhere/);
  });

  test('opens batched ones where the addon is, unless told otherwise', { skip }, () => {
    assert.equal(openSockets(world({ path }), 'auto').kind, 'batched');
    assert.equal(openSockets(world({ path }), 'node').kind, 'node');
    assert.ok('addon' in loadAddon({ path }));
  });
});

function otherNodes(): readonly string[] {
  try {
    return [execFileSync('sh', ['-c', 'command -v node'], { encoding: 'utf8' }).trim()];
  } catch {
    return [];
  }
}

/** The compiler's own copy; without it a sanitized library cannot be loaded into Node. */
function sanitizerLibrary(): string | undefined {
  const said = execFileSync(COMPILER, ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim();
  return existsSync(said) ? said : undefined;
}

class Lines {
  readonly finished: Promise<{ readonly code: number | null; readonly output: string }>;
  readonly #child: ChildProcess;
  #output = '';

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.on('data', (part: Buffer) => (this.#output += part.toString()));
    this.finished = finished(child);
  }

  async until(pattern: RegExp): Promise<string> {
    for (let tries = 0; tries < 12_000; tries++) {
      const found = pattern.exec(this.#output)?.[1];
      if (found !== undefined) return found;
      await pause(5);
    }
    this.#child.kill('SIGKILL');
    return assert.fail(`it says ${pattern} within a minute; said: ${this.#output}`);
  }
}

function finished(child: ChildProcess): Promise<{ code: number | null; output: string }> {
  let output = '';
  child.stdout?.on('data', (part: Buffer) => (output += part.toString()));
  child.stderr?.on('data', (part: Buffer) => (output += part.toString()));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, output })));
}

/** What a peer gets for one line: the line, or nothing when it is ended. */
function ask(port: number): Promise<{ readonly text: string; readonly socket: Socket }> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const end = (text: string): void => resolve({ text, socket });
    socket.on('error', () => end(''));
    socket.on('close', () => end(''));
    socket.once('data', (bytes) => end(bytes.toString()));
    socket.write('ask\n');
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
