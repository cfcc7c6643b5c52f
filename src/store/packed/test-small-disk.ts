// A real file system of a few MiB, to be filled: ext4 on a loop device, or where that is not allowed a
// tmpfs. As root on Linux only.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';

export class SmallDisk {
  readonly kind: 'ext4' | 'tmpfs';
  readonly mount: string;
  readonly #folder: string;

  private constructor(folder: string, kind: 'ext4' | 'tmpfs') {
    this.#folder = folder;
    this.mount = `${folder}/mount`;
    this.kind = kind;
  }

  /** Or why there is none. */
  static make(bytes: number): SmallDisk | string {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) {
      return 'a file system of its own needs root on Linux';
    }
    const folder = mkdtempSync(`${tmpdir()}/swarmkeep-small-`);
    const [image, mount] = [`${folder}/image`, `${folder}/mount`];
    mkdirSync(mount);
    writeFileSync(image, '');
    truncateSync(image, bytes);
    const refusal = existsSync('/dev/loop-control')
      ? (run('mkfs.ext4', '-q', '-F', '-m', '0', image) ??
        run('mount', '-t', 'ext4', '-o', 'loop', image, mount))
      : 'this machine has no loop devices';
    if (refusal === undefined) return new SmallDisk(folder, 'ext4');
    const second = run('mount', '-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', mount);
    if (second === undefined) return new SmallDisk(folder, 'tmpfs');
    rmSync(folder, { recursive: true, force: true });
    return `this machine lets no file system be mounted: ${refusal}; ${second}`;
  }

  remove(): void {
    // Never through a mount that is still there.
    if (run('umount', this.mount) !== undefined) return;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Why a command did not do what it should, or undefined. */
function run(program: string, ...words: string[]): string | undefined {
  const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` };
  const done = spawnSync(program, words, { encoding: 'utf8', env, timeout: 30_000 });
  if (done.error !== undefined) return `${program}: ${done.error.message}`;
  return done.status === 0 ? undefined : `${program}: ${done.stderr.trim().split('\n')[0]}`;
}
