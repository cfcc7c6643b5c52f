// Drives libtorrent through its Python binding, in a process of its own (libtorrent-driver.py). It
// announces by every address it listens on, so with `address6` it is a dual-stack client.

import { fileURLToPath } from 'node:url';
import { Child } from './child.ts';
import {
  type BitTorrentClient,
  type ClientOptions,
  PEER_PORTS,
  type TorrentStatus,
} from './client.ts';

const DRIVER = fileURLToPath(new URL('libtorrent-driver.py', import.meta.url));
const ANSWER_MS_MAX = 90_000;

interface Answer {
  readonly ok: boolean;
  readonly error?: string;
  readonly [field: string]: unknown;
}

export class Libtorrent implements BitTorrentClient {
  readonly name = 'libtorrent';
  readonly #child: Child;
  readonly #waiting: ((answer: Answer) => void)[] = [];

  private constructor() {
    this.#child = new Child(this.name, ['/usr/bin/python3', DRIVER]);
    this.#child.onLine((line) => this.#waiting.shift()?.(JSON.parse(line)));
  }

  /** `allTrackers`: announces to every tracker and tier at once, not to the first that answers. */
  static async start(
    options: ClientOptions & { readonly allTrackers?: boolean; readonly isEncrypted?: boolean },
  ): Promise<Libtorrent> {
    const client = new Libtorrent();
    const { address, address6, allTrackers, isEncrypted } = options;
    const port = PEER_PORTS.libtorrent;
    await client.#ask({ do: 'start', address, address6, allTrackers, isEncrypted, port });
    return client;
  }

  async add(torrentFile: string, saveFolder: string): Promise<void> {
    await this.#ask({ do: 'add', file: torrentFile, folder: saveFolder });
  }

  async announce(infoHash: string): Promise<void> {
    await this.#ask({ do: 'announce', hash: infoHash });
  }

  async status(infoHash: string): Promise<TorrentStatus> {
    const answer = await this.#ask({ do: 'status', hash: infoHash });
    return {
      progress: Number(answer.progress),
      uploaded: Number(answer.uploaded),
      downloaded: Number(answer.downloaded),
      trackerMessage: String(answer.message),
    };
  }

  async connect(infoHash: string, address: string, port: number): Promise<boolean> {
    await this.#ask({ do: 'connect', hash: infoHash, address, port });
    return true;
  }

  async pause(infoHash: string): Promise<void> {
    await this.#ask({ do: 'pause', hash: infoHash });
  }

  async resume(infoHash: string): Promise<void> {
    await this.#ask({ do: 'resume', hash: infoHash });
  }

  async remove(infoHash: string): Promise<void> {
    await this.#ask({ do: 'remove', hash: infoHash });
  }

  async stop(): Promise<void> {
    this.#child.closeInput();
    await this.#child.ended();
  }

  async kill(): Promise<void> {
    await this.#child.end('SIGKILL');
  }

  #ask(request: Readonly<Record<string, unknown>>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const fail = (why: string): void =>
        reject(new Error(`libtorrent ${request.do}: ${why}\n${this.#child.output.slice(-2000)}`));
      const timer = setTimeout(() => fail('no answer'), ANSWER_MS_MAX);
      this.#waiting.push((answer) => {
        clearTimeout(timer);
        if (answer.ok) resolve(answer);
        else fail(answer.error ?? 'refused');
      });
      this.#child.writeLine(JSON.stringify(request));
    });
  }
}
