// A certificate and its key, read from files and read again when they change, so that a renewed one is
// in force without a restart. A pair that cannot be used (half written, of different makers) leaves the
// one before in place and is told once.

import { createSecureContext } from 'node:tls';
import type { Clock, Timer } from '#base/clock.ts';
import type { Disk } from '#base/disk.ts';
import { messageOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import { NetError } from './errors.ts';

const LOOK_MS = 5000;
/** No chain of certificates is longer. */
const FILE_BYTES_MAX = 1024 * 1024;

export interface CertificateWorld {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  /** PEM: the certificate with those that vouch for it, and its key. */
  readonly certificateFile: string;
  readonly keyFile: string;
}

/** What TLS is set up with. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

export class TlsCertificate {
  readonly #world: CertificateWorld;
  readonly #listeners = new Set<(pair: KeyPair) => void>();
  #pair: KeyPair;
  /** What was read last, good or not. */
  #seen: KeyPair;
  #timer: Timer | undefined;
  #closed = false;

  private constructor(world: CertificateWorld, pair: KeyPair) {
    this.#world = world;
    this.#pair = pair;
    this.#seen = pair;
    this.#lookLater();
  }

  /** @throws NetError NET_TLS_INVALID */
  static async open(world: CertificateWorld): Promise<TlsCertificate> {
    const { certificateFile, keyFile } = world;
    try {
      const pair = await readPair(world);
      createSecureContext(pair);
      return new TlsCertificate(world, pair);
    } catch (cause) {
      const message = `Cannot use the certificate "${certificateFile}" with the key "${keyFile}"`;
      throw new NetError('NET_TLS_INVALID', message, { cause });
    }
  }

  get pair(): KeyPair {
    return this.#pair;
  }

  /** `run` is called with each new pair; returns how to be called no more. */
  onChange(run: (pair: KeyPair) => void): () => void {
    this.#listeners.add(run);
    return () => this.#listeners.delete(run);
  }

  /** Looks at the files now; they are looked at every 5 seconds anyway. Never rejects. */
  async look(): Promise<void> {
    const { logger, certificateFile } = this.#world;
    try {
      const pair = await readPair(this.#world);
      if (pair.cert === this.#seen.cert && pair.key === this.#seen.key) return;
      this.#seen = pair;
      createSecureContext(pair);
      this.#pair = pair;
      for (const listener of this.#listeners) listener(pair);
      logger.info('A new certificate is in force', { certificateFile });
    } catch (error) {
      logger.error('The new certificate cannot be used; the one before stays in force', {
        certificateFile,
        cause: messageOf(error),
      });
    }
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #lookLater(): void {
    this.#timer = this.#world.clock.after(LOOK_MS, () => {
      void this.look().then(() => {
        if (!this.#closed) this.#lookLater();
      });
    });
  }
}

async function readPair({ disk, certificateFile, keyFile }: CertificateWorld): Promise<KeyPair> {
  return { cert: await readText(disk, certificateFile), key: await readText(disk, keyFile) };
}

async function readText(disk: Disk, path: string): Promise<string> {
  const file = await disk.open(path, { write: false });
  try {
    const bytes = new Uint8Array(Math.min(await file.sizeBytes(), FILE_BYTES_MAX));
    const length = await file.read(bytes, 0);
    return new TextDecoder().decode(bytes.subarray(0, length));
  } finally {
    await file.close();
  }
}
