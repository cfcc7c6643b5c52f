// Drives aria2c by its JSON-RPC. It cannot be told to announce, so it is started with a tracker
// interval of its own and the driver waits for the next one. Its RPC does not show the downloaded
// bytes that it announces (repeated blocks of the end game count), so totals are those of its last
// announce, read from its log. For UDP trackers the log has no totals and the RPC's are given: what
// is complete, which is less than announced by the repeated blocks, if there were any.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Child } from './child.ts';
import {
  type BitTorrentClient,
  type ClientOptions,
  fetchSteadily,
  PEER_PORTS,
  type TorrentStatus,
} from './client.ts';
import { waitFor } from './server.ts';

const RPC_PORT = 16_893;
const START_MS_MAX = 60_000;
const INTERVAL_SECONDS = 2;
const ANNOUNCE_MS_MAX = 90_000;

/** Undefined: by UDP, whose totals are not logged. */
type Announced = { readonly uploaded: number; readonly downloaded: number } | undefined;

interface Download {
  readonly gid: string;
  readonly infoHash?: string;
  readonly totalLength: string;
  readonly completedLength: string;
  readonly uploadLength: string;
  readonly status: string;
  readonly errorMessage?: string;
}

export class Aria2 implements BitTorrentClient {
  readonly name = 'aria2';
  readonly #child: Child;
  readonly #url: string;
  readonly #log: string;

  private constructor(options: ClientOptions) {
    this.#url = `http://${options.address}:${RPC_PORT}/jsonrpc`;
    this.#log = join(options.folder, 'aria2.log');
    const isDual = options.address6 !== undefined;
    this.#child = new Child(this.name, [
      'aria2c',
      '--no-conf',
      '--enable-rpc',
      '--rpc-listen-all=true',
      `--rpc-listen-port=${RPC_PORT}`,
      `--dir=${options.folder}`,
      `--log=${this.#log}`,
      '--log-level=info',
      '--console-log-level=warn',
      // The DHT is only there because UDP trackers share its socket; nobody is told to it.
      '--enable-dht=true',
      '--enable-dht6=false',
      `--dht-file-path=${join(options.folder, 'dht.dat')}`,
      `--dht-listen-port=${PEER_PORTS.aria2 + 1}`,
      '--bt-enable-lpd=false',
      '--enable-peer-exchange=false',
      '--bt-detach-seed-only=true',
      `--bt-tracker-interval=${INTERVAL_SECONDS}`,
      `--disable-ipv6=${!isDual}`,
      ...(isDual ? [] : [`--interface=${options.address}`]),
      `--listen-port=${PEER_PORTS.aria2}`,
      '--seed-ratio=0.0',
      '--check-integrity=true',
      '--file-allocation=none',
      '--allow-overwrite=true',
      '--summary-interval=0',
    ]);
  }

  static async start(options: ClientOptions): Promise<Aria2> {
    const client = new Aria2(options);
    await waitFor('aria2c to answer', START_MS_MAX, async () => {
      if (client.#child.hasEnded) throw new Error(`It ended: ${client.#child.output}`);
      return await client.#call('getVersion').catch(() => undefined);
    });
    return client;
  }

  async add(torrentFile: string, saveFolder: string): Promise<void> {
    const metainfo = readFileSync(torrentFile).toString('base64');
    await this.#call('addTorrent', metainfo, [], { dir: saveFolder });
  }

  /** Waits until it announced twice more: the second was made after this call began. */
  async announce(infoHash: string): Promise<void> {
    const before = this.#announces(infoHash).length;
    await waitFor('aria2 to announce', ANNOUNCE_MS_MAX, () =>
      this.#announces(infoHash).length >= before + 2 ? true : undefined,
    );
  }

  async status(infoHash: string): Promise<TorrentStatus> {
    const download = await this.#find(infoHash);
    const last = this.#announces(infoHash).at(-1);
    const total = Number(download.totalLength);
    return {
      progress: total === 0 ? 0 : Number(download.completedLength) / total,
      uploaded: last?.uploaded ?? Number(download.uploadLength),
      downloaded: last?.downloaded ?? Number(download.completedLength),
      trackerMessage: this.#complaint(infoHash),
    };
  }

  async connect(): Promise<boolean> {
    return false;
  }

  async pause(infoHash: string): Promise<void> {
    await this.#call('pause', (await this.#find(infoHash)).gid);
    await this.#becomes(infoHash, 'paused');
  }

  async resume(infoHash: string): Promise<void> {
    await this.#call('unpause', (await this.#find(infoHash)).gid);
    await this.#becomes(infoHash, 'active');
  }

  async remove(infoHash: string): Promise<void> {
    const download = await this.#find(infoHash);
    await this.#call('remove', download.gid);
    await waitFor('aria2 to remove', ANNOUNCE_MS_MAX, async () =>
      (await this.#find(infoHash)).status !== 'active' ? true : undefined,
    );
  }

  async stop(): Promise<void> {
    await this.#child.end('SIGINT');
  }

  async kill(): Promise<void> {
    await this.#child.end('SIGKILL');
  }

  async #becomes(infoHash: string, status: string): Promise<void> {
    await waitFor(`aria2 to be ${status}`, ANNOUNCE_MS_MAX, async () => {
      // Between two of its lists it is in none of them.
      const found = await this.#find(infoHash).catch(() => undefined);
      return found?.status === status ? true : undefined;
    });
  }

  async #find(infoHash: string): Promise<Download> {
    // In the order a download goes through them, so that none is missed on its way.
    const lists = [
      await this.#call('tellWaiting', 0, 100),
      await this.#call('tellActive'),
      await this.#call('tellStopped', 0, 100),
    ] as Download[][];
    const download = lists.flat().find((entry) => entry.infoHash === infoHash);
    if (download === undefined)
      throw new Error(`aria2 does not know ${infoHash}: ${JSON.stringify(lists)}`);
    return download;
  }

  #readLog(): string {
    return readFileSync(this.#log, 'utf8');
  }

  #announces(infoHash: string): Announced[] {
    const log = this.#readLog();
    const found: Announced[] = [];
    for (const [, query = ''] of log.matchAll(/^GET \S*[?&](info_hash=\S+) HTTP/gm)) {
      const fields = new URLSearchParams(query.replace(/^info_hash=[^&]*/, ''));
      if (hexOf(query) !== infoHash) continue;
      const [uploaded, downloaded] = [fields.get('uploaded'), fields.get('downloaded')];
      found.push({ uploaded: Number(uploaded), downloaded: Number(downloaded) });
    }
    const packets = log.match(new RegExp(`UDPT sent ANNOUNCE .*infohash=${infoHash}`, 'g'));
    return [...found, ...(packets ?? []).map(() => undefined)];
  }

  /**
   * What the tracker said to this torrent's last announce, when it was a refusal. Over HTTP the log
   * does not say whose it was: a refusal of another torrent after our last announce is given too.
   */
  #complaint(infoHash: string): string {
    let complaint = '';
    let transaction = '';
    for (const line of this.#readLog().split('\n')) {
      const query = /^GET \S*[?&](info_hash=\S+) HTTP/.exec(line)?.[1];
      if (query !== undefined && hexOf(query) === infoHash) complaint = '';
      const failure = /Tracker returned failure reason: (.*)/.exec(line)?.[1];
      if (failure !== undefined) complaint = failure.trim();
      const id = /transaction_id=([0-9a-f]+)/.exec(line)?.[1] ?? '';
      if (line.includes('UDPT sent ANNOUNCE') && line.includes(infoHash)) transaction = id;
      else if (line.includes('UDPT received') && id === transaction) {
        complaint = /error_string=(.*)/.exec(line)?.[1]?.trim() ?? '';
      }
    }
    return complaint;
  }

  async #call(method: string, ...parameters: readonly unknown[]): Promise<unknown> {
    const body = JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: `aria2.${method}`,
      params: parameters,
    });
    const response = await fetchSteadily(this.#url, { method: 'POST', body });
    const answer = (await response.json()) as {
      readonly result?: unknown;
      readonly error?: { readonly message: string };
    };
    if (answer.error !== undefined) throw new Error(`aria2 ${method}: ${answer.error.message}`);
    return answer.result;
  }
}

/** The hash of `info_hash=%12ab…&…` in hexadecimal. */
function hexOf(query: string): string {
  const value = /^info_hash=([^&]*)/.exec(query)?.[1] ?? '';
  const bytes = value.replace(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, 'latin1').toString('hex');
}
