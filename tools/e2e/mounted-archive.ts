// The archive's WebDAV as a disk of this machine, by rclone and FUSE, for tests and measurements. Containers
// mostly forbid it: then it is said why.

import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, mkdirSync, statSync } from 'node:fs';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pause } from './server.ts';

const run = promisify(execFile);
const MOUNT_MS_MAX = 30_000;

export interface DavPlace {
  /** Ended by a slash. */
  readonly url: string;
  readonly name: string;
  readonly key: string;
}

/** False when it can be mounted here; else why not. */
export function whyNotMounted(): string | false {
  for (const program of ['rclone', 'fusermount3']) {
    if (spawnSync('which', [program]).status !== 0) return `${program} is not installed`;
  }
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
    return false;
  } catch {
    return 'FUSE may not be used here';
  }
}

export class MountedArchive {
  /** Of the mounted root. */
  readonly path: string;
  readonly #child: ChildProcess;

  private constructor(path: string, child: ChildProcess) {
    this.path = path;
    this.#child = child;
  }

  /** Below `folder`, with nothing kept in between: every read comes from the archive. */
  static async open(place: DavPlace, folder: string): Promise<MountedArchive | { why: string }> {
    const path = join(folder, 'mounted');
    mkdirSync(path, { recursive: true });
    const obscured = await run('rclone', ['obscure', place.key]);
    const env = {
      ...process.env,
      RCLONE_CONFIG: join(folder, 'rclone-mount.conf'),
      RCLONE_CONFIG_ARCHIVE_TYPE: 'webdav',
      RCLONE_CONFIG_ARCHIVE_URL: place.url,
      RCLONE_CONFIG_ARCHIVE_VENDOR: 'other',
      RCLONE_CONFIG_ARCHIVE_USER: place.name,
      RCLONE_CONFIG_ARCHIVE_PASS: obscured.stdout.trim(),
    };
    const words = ['mount', 'archive:', path, '--read-only', '--dir-cache-time', '1s'];
    const child = spawn('rclone', words, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    let told = '';
    child.stderr?.on('data', (part) => {
      told += String(part);
    });
    const device = statSync(folder).dev;
    for (let waitedMs = 0; waitedMs < MOUNT_MS_MAX; waitedMs += 50) {
      if (statSync(path).dev !== device) return new MountedArchive(path, child);
      if (child.exitCode !== null) return { why: `rclone cannot mount: ${told.trim()}` };
      await pause(50);
    }
    child.kill('SIGKILL');
    throw new Error(`rclone did not mount: ${told}`);
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    // It unmounts before it ends.
    this.#child.kill('SIGINT');
    const unmount = (): void => {
      spawnSync('fusermount3', ['-u', '-z', this.path]);
      this.#child.kill('SIGKILL');
    };
    const late = setTimeout(unmount, MOUNT_MS_MAX);
    await ended;
    clearTimeout(late);
  }
}

/** Passes bytes on, each half of `delayMs` later, as a link of that length does; counts requests. */
export class LongLink {
  requests = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(port: number, delayMs: number): Promise<LongLink> {
    const server = createServer((near) => {
      const far = createConnection(port, '127.0.0.1');
      for (const socket of [near, far]) {
        link.#sockets.add(socket);
        socket.setNoDelay(true);
        socket.on('error', () => socket.destroy());
        socket.once('close', () => link.#sockets.delete(socket));
      }
      // Whoever reads on elsewhere lets go of this one: the archive must hear of it.
      near.once('close', () => far.destroy());
      near.on('data', (part) => {
        link.requests += String(part).match(/^[A-Z]+ \/[^ ]* HTTP\/1\.1/gm)?.length ?? 0;
      });
      pass(near, far, delayMs / 2);
      pass(far, near, delayMs / 2);
    });
    const link = new LongLink(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return link;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

function pass(from: Socket, to: Socket, delayMs: number): void {
  if (delayMs === 0) {
    from.pipe(to);
    return;
  }
  from.on('data', (part) => {
    // As much may be on its way as two MiB a round trip and connection.
    setTimeout(() => to.destroyed || to.write(part), delayMs);
  });
  from.once('end', () => setTimeout(() => to.end(), delayMs));
}
