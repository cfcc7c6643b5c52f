// Drives transmission-daemon (3.00 and later) by its JSON-RPC. As uploaded it announces the payload
// it sent since it was started, `uploadedEver` in a fresh folder; as downloaded the pieces that it
// received and verified, without blocks that came twice. It announces again only after the tracker's
// `min interval`. 3.00 refuses hybrid and v2 torrents.

import { readFileSync, writeFileSync } from 'node:fs';
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

const RPC_PORT = 16_891;
const START_MS_MAX = 60_000;

interface TorrentFields {
  readonly percentDone: number;
  readonly uploadedEver: number;
  readonly downloadedEver: number;
  readonly haveValid: number;
  readonly errorString: string;
  readonly error: number;
  readonly trackerStats: readonly {
    readonly hasAnnounced: boolean;
    readonly lastAnnounceSucceeded: boolean;
    readonly lastAnnounceResult: string;
  }[];
}

export class Transmission implements BitTorrentClient {
  readonly name = 'transmission';
  readonly #child: Child;
  readonly #url: string;
  #session = '';

  private constructor(options: ClientOptions) {
    const settings = {
      'alt-speed-enabled': false,
      'announce-ip-enabled': false,
      // Bound to an IPv4 address it speaks to HTTP trackers from that one only.
      'bind-address-ipv4': options.address6 === undefined ? options.address : '0.0.0.0',
      'bind-address-ipv6': options.address6 === undefined ? '::1' : '::',
      'blocklist-enabled': false,
      'dht-enabled': false,
      'download-dir': options.folder,
      encryption: 0,
      'lpd-enabled': false,
      'peer-port': PEER_PORTS.transmission,
      'pex-enabled': false,
      'port-forwarding-enabled': false,
      preallocation: 0,
      'queue-stalled-enabled': false,
      'rpc-bind-address': options.address,
      'rpc-host-whitelist-enabled': false,
      'rpc-port': RPC_PORT,
      'rpc-whitelist-enabled': false,
      'scrape-paused-torrents-enabled': false,
      'utp-enabled': false,
    };
    writeFileSync(join(options.folder, 'settings.json'), JSON.stringify(settings));
    this.#url = `http://${options.address}:${RPC_PORT}/transmission/rpc`;
    this.#child = new Child(this.name, ['transmission-daemon', '-f', '-g', options.folder]);
  }

  static async start(options: ClientOptions): Promise<Transmission> {
    const client = new Transmission(options);
    await waitFor('transmission-daemon to answer', START_MS_MAX, async () => {
      if (client.#child.hasEnded) throw new Error(`It ended: ${client.#child.output}`);
      return await client.#call('session-get', {}).catch(() => undefined);
    });
    return client;
  }

  get pid(): number {
    return this.#child.pid;
  }

  async add(torrentFile: string, saveFolder: string): Promise<void> {
    const metainfo = readFileSync(torrentFile).toString('base64');
    await this.#call('torrent-add', { metainfo, 'download-dir': saveFolder, paused: false });
  }

  async announce(infoHash: string): Promise<void> {
    await this.#call('torrent-reannounce', { ids: [infoHash] });
  }

  async status(infoHash: string): Promise<TorrentStatus> {
    const fields = [
      'percentDone',
      'uploadedEver',
      'downloadedEver',
      'haveValid',
      'errorString',
      'error',
    ];
    const answer = await this.#call('torrent-get', {
      ids: [infoHash],
      fields: [...fields, 'trackerStats'],
    });
    const torrent = (answer.torrents as TorrentFields[])[0];
    if (torrent === undefined) throw new Error(`transmission does not know ${infoHash}`);
    const complaint = torrent.trackerStats.find(
      (tracker) => tracker.hasAnnounced && !tracker.lastAnnounceSucceeded,
    );
    // Error 1 is a tracker's warning, 2 its refusal.
    const isTracker = torrent.error === 1 || torrent.error === 2;
    return {
      progress: torrent.percentDone,
      uploaded: torrent.uploadedEver,
      // What was there before counts as valid but was never received.
      downloaded: Math.min(torrent.downloadedEver, torrent.haveValid),
      trackerMessage: isTracker ? torrent.errorString : (complaint?.lastAnnounceResult ?? ''),
    };
  }

  async connect(): Promise<boolean> {
    return false;
  }

  async pause(infoHash: string): Promise<void> {
    await this.#call('torrent-stop', { ids: [infoHash] });
  }

  async resume(infoHash: string): Promise<void> {
    await this.#call('torrent-start', { ids: [infoHash] });
  }

  async remove(infoHash: string): Promise<void> {
    await this.#call('torrent-remove', { ids: [infoHash], 'delete-local-data': false });
  }

  async stop(): Promise<void> {
    await this.#child.end('SIGTERM');
  }

  async kill(): Promise<void> {
    await this.#child.end('SIGKILL');
  }

  async #call(method: string, parameters: object): Promise<Record<string, unknown>> {
    const body = JSON.stringify({ method, arguments: parameters });
    const ask = (): Promise<Response> =>
      fetchSteadily(this.#url, {
        method: 'POST',
        body,
        headers: { 'X-Transmission-Session-Id': this.#session },
      });
    let response = await ask();
    if (response.status === 409) {
      // Its guard against cross-site requests: the id is learned from the first refusal.
      this.#session = response.headers.get('X-Transmission-Session-Id') ?? '';
      await response.arrayBuffer();
      response = await ask();
    }
    const answer = (await response.json()) as {
      readonly result: string;
      readonly arguments: Record<string, unknown>;
    };
    if (answer.result !== 'success') throw new Error(`transmission ${method}: ${answer.result}`);
    return answer.arguments;
  }
}
