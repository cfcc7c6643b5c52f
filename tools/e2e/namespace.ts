// A network of the test's own. A test file that calls `inNamespace` runs itself again inside of a
// Linux network namespace where only `lo` exists, with addresses 10.77.0.1 to .12 and fd77::1 to
// ::12: hermetic, no port is taken by someone else, each client has its own address (Transmission
// refuses peers on 127.0.0.0/8), and no root is needed where the kernel allows user namespaces.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const MARK = 'SWARMKEEP_NAMESPACE';
const ADDRESSES = 12;
/** All of it, with every client in it, also on a busy machine. */
const RUN_MS_MAX = 20 * 60_000;

/** `10.77.0.n`, n from 1 to 12. The server is 1 by convention. */
export function address4(n: number): string {
  return `10.77.0.${n}`;
}

/** `fd77::n`, decimal digits, n from 1 to 12. */
export function address6(n: number): string {
  return `fd77::${n}`;
}

/**
 * True inside of the namespace: the caller defines its tests. False outside: one test was defined
 * that runs the file inside and has its outcome, or is left out with the reason.
 *
 *     if (inNamespace(import.meta.url)) { test('…', …); }
 */
export function inNamespace(fileUrl: string): boolean {
  if (process.env[MARK] === '1') return true;
  const file = fileURLToPath(fileUrl);
  const name = file.split('/').at(-1) ?? file;
  const entry = namespaceEntry();
  const skip = 'why' in entry ? entry.why : false;
  test(`${name}, in a network namespace`, {
    skip,
    timeout: RUN_MS_MAX + 10_000,
  }, async (context) => {
    if ('why' in entry) return;
    const inner = [process.execPath, ...process.execArgv.filter(isKept), file];
    const outcome = await run(entry.command, inner);
    // Lines of the inner run are what a person wants to see also when it went well.
    for (const line of outcome.output.split('\n'))
      if (/^[✔✖﹣ℹ]/.test(line)) context.diagnostic(line);
    if (outcome.exitCode !== 0) {
      throw new Error(`${name} failed inside of the namespace:\n${outcome.output}`);
    }
  });
  return false;
}

/** Whether programs here can change to another user: not where an ordinary user made the namespace. */
export function hasOtherUsers(): boolean {
  const [, , count] = readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/);
  return Number(count) > 1;
}

type Entry = { readonly command: readonly string[] } | { readonly why: string };
let found: Entry | undefined;

/** What to put before a program's words to run it in one, for who is no test; or why there is none. */
export function namespaceEntry(): Entry {
  found ??= findEntry();
  return found;
}

function findEntry(): Entry {
  if (process.platform !== 'linux') return { why: 'network namespaces are Linux’s' };
  if (!['/usr/sbin/ip', '/sbin/ip', '/usr/bin/ip', '/bin/ip'].some((path) => existsSync(path))) {
    return { why: 'the command "ip" (Debian package iproute2) is not installed' };
  }
  // A real root needs no user namespace, and keeps other users (PostgreSQL refuses to run as root).
  const ways = process.getuid?.() === 0 ? [['-n'], ['-Urn']] : [['-Urn']];
  let why = '';
  for (const way of ways) {
    const command = ['unshare', ...way, '--fork', '--kill-child', 'sh', '-c', setUp(), 'sh'];
    const probe = spawnSync(command[0] ?? '', [...command.slice(1), 'true'], { encoding: 'utf8' });
    if (probe.status === 0) return { command };
    why = `unshare ${way.join(' ')} is refused: ${(probe.stderr || String(probe.error)).trim()}`;
  }
  return { why };
}

function setUp(): string {
  const lines = ['set -e', 'PATH=$PATH:/usr/sbin:/sbin', 'ip link set lo up'];
  for (let n = 1; n <= ADDRESSES; n++) {
    lines.push(`ip addr add ${address4(n)}/32 dev lo`);
    // A machine without IPv6 fails the tests that need it, not all of them.
    lines.push(`ip -6 addr add ${address6(n)}/128 dev lo nodad 2>/dev/null || true`);
  }
  return `${lines.join('\n')}\nexec "$@"`;
}

function isKept(argument: string): boolean {
  return !argument.startsWith('--test') && argument !== '--experimental-test-coverage';
}

function run(
  command: readonly string[],
  inner: readonly string[],
): Promise<{ readonly exitCode: number | null; readonly output: string }> {
  return new Promise((resolve, reject) => {
    const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
    const env = { ...environment, [MARK]: '1', NODE_OPTIONS: '' };
    const [program = '', ...args] = [...command, ...inner];
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const hear = (part: Buffer): void => {
      output += part.toString('utf8');
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    const timer = setTimeout(() => {
      output += `\nended after ${RUN_MS_MAX} ms`;
      child.kill('SIGKILL');
    }, RUN_MS_MAX);
    const endWithParent = (): void => {
      child.kill('SIGKILL');
    };
    process.once('exit', endWithParent);
    child.once('error', reject);
    child.once('close', (exitCode) => {
      clearTimeout(timer);
      process.removeListener('exit', endWithParent);
      resolve({ exitCode, output });
    });
  });
}
