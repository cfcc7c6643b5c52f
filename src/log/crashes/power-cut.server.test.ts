// The power goes under a real file system: a log on a loop-mounted ext4 is shut down by the ioctl
// FS_IOC_SHUTDOWN without flushing, in the middle of appends by several writers, then mounted again, so
// that the journal is replayed. Every record that was answered as on disk is there, and none is wrong.
// kill -9 cannot show this: it leaves the page cache, and never tests a sync.
//
// As root only, and where the kernel allows loop mounts; elsewhere it says so and steps aside. The
// ioctl is made by perl, which every Debian has: a helper in C would need a compiler, and an entry in
// the addon would put a way to shut a file system down into the product. SWARMKEEP_POWER_CUTS sets how
// many.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { it, type TestContext } from 'node:test';
import { SystemClock, sleep } from '#base/clock.ts';
import { below, SeededRandom } from '#base/random.ts';
import { ToldLog } from '#sim/log-told.ts';

const ASKED = process.env['SWARMKEEP_POWER_CUTS'];
const CUTS = Number(ASKED ?? 8);
/** A busy machine makes fewer of them, when nobody has asked for a number. */
const CUTS_MS_MAX = ASKED === undefined ? 20_000 : Number.POSITIVE_INFINITY;
const CUTS_MIN = 2;
const clock = new SystemClock();
const CUTS_BROKEN_MAX = 4;
const IMAGE_BYTES = 64 * 1024 * 1024;
/** FS_IOC_SHUTDOWN, _IOR('X', 125, u32), with EXT4_GOING_FLAGS_NOLOGFLUSH. */
/** At a word on its standard input, so that the cut comes at once. */
const SHUTDOWN = `
  use Fcntl;
  sysopen(my $folder, $ARGV[0], O_RDONLY) or die "open: $!";
  my $flags = pack("L", 2);
  $| = 1;
  print "ready\n";
  <STDIN>;
  defined(ioctl($folder, 0x8004587d, $flags)) or die "ioctl: $!";
`;

/** Why a command did not do what it should, or undefined. */
function run(program: string, ...words: string[]): string | undefined {
  const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` };
  const done = spawnSync(program, words, { encoding: 'utf8', env, timeout: 30_000 });
  if (done.error !== undefined) return `${program}: ${done.error.message}`;
  return done.status === 0 ? undefined : `${program}: ${done.stderr.trim().split('\n')[0]}`;
}

class LoopDisk {
  readonly mount: string;
  readonly #folder: string;
  readonly #image: string;

  constructor() {
    this.#folder = mkdtempSync(`${tmpdir()}/swarmkeep-power-`);
    this.#image = `${this.#folder}/image`;
    this.mount = `${this.#folder}/mount`;
  }

  /** Why there is none, or undefined. */
  make(): string | undefined {
    mkdirSync(this.mount);
    writeFileSync(this.#image, '');
    truncateSync(this.#image, IMAGE_BYTES);
    return run('mkfs.ext4', '-q', '-F', this.#image) ?? this.attach();
  }

  attach(): string | undefined {
    return run('mount', '-t', 'ext4', '-o', 'loop', this.#image, this.mount);
  }

  /** Cuts after that time; when it began to, in Unix milliseconds, or why it could not. */
  async cut(delayMs: number): Promise<number | string> {
    const child = spawn('perl', ['-e', SHUTDOWN, this.mount], { stdio: 'pipe' });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    const ended = new Promise<number | string | null>((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('close', resolve);
    });
    await Promise.race([once(child.stdout, 'data'), ended]);
    await sleep(clock, delayMs);
    const startMs = clock.nowMs();
    child.stdin.on('error', () => {}).end('now\n');
    const status = await ended;
    return status === 0 ? startMs : `perl: ${output.split('\n').at(-2) ?? status}`;
  }

  detach(): string | undefined {
    return run('umount', this.mount);
  }

  remove(): void {
    this.detach();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A mounted disk that can be cut, or undefined when this machine has none: then the test is skipped. */
async function openDisk(t: TestContext): Promise<LoopDisk | undefined> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    t.skip('a power cut of a file system needs root on Linux');
    return undefined;
  }
  if (!existsSync('/dev/loop-control')) {
    t.skip('this machine has no loop devices');
    return undefined;
  }
  const disk = new LoopDisk();
  let refusal = disk.make();
  if (refusal === undefined) {
    const cut = await disk.cut(0);
    refusal = typeof cut === 'string' ? cut : (disk.detach() ?? disk.attach());
  }
  if (refusal === undefined) return disk;
  disk.remove();
  t.skip(`this machine does not let a file system be mounted and cut: ${refusal}`);
  return undefined;
}

/**
 * When the cut began: a sync that was still running then may be answered as done by the kernel, which
 * a machine without power would not have lived to tell.
 */
async function cutAfter(delayMs: number, disk: LoopDisk, child: ChildProcess): Promise<number> {
  const cut = await disk.cut(delayMs);
  if (typeof cut === 'number') return cut;
  // A process whose disk is not cut would write for ever.
  child.kill('SIGKILL');
  return assert.fail(cut);
}

it('a power cut under ext4 in the middle of appends loses and changes nothing that was told', async (t) => {
  const disk = await openDisk(t);
  if (disk === undefined) return;
  const random = new SeededRandom(process.pid);
  const told = new ToldLog();
  const folder = `${disk.mount}/log`;
  const lateMs = performance.now() + CUTS_MS_MAX;
  let cuts = 0;
  try {
    for (; cuts < CUTS && (cuts < CUTS_MIN || performance.now() < lateMs); cuts++) {
      const delayMs = below(random, 350);
      await told.live({ folder, kind: 'local' }, (child) => cutAfter(delayMs, disk, child));
      assert.equal(disk.detach() ?? disk.attach(), undefined, 'the journal is replayed');
      await told.compare(folder);
    }
    t.diagnostic(`${cuts} cuts, ${told.records} records acknowledged`);
  } finally {
    disk.remove();
  }
});

it('the power cut finds a planted bug: an answer before the sync', async (t) => {
  const disk = await openDisk(t);
  if (disk === undefined) return;
  const told = new ToldLog();
  const folder = `${disk.mount}/log`;
  try {
    const life = { folder, kind: 'local', planted: 'answer-before-sync' } as const;
    for (let cut = 0; cut < CUTS_BROKEN_MAX; cut++) {
      await told.live(life, (child) => cutAfter(100, disk, child));
      assert.equal(disk.detach() ?? disk.attach(), undefined);
      const found = await told.compare(folder).then(
        () => undefined,
        (error: Error) => error.message,
      );
      if (found !== undefined) {
        t.diagnostic(`cut ${cut + 1}: ${found.split('\n')[0]}`);
        return;
      }
    }
    assert.fail(`${CUTS_BROKEN_MAX} cuts did not find it`);
  } finally {
    disk.remove();
  }
});
