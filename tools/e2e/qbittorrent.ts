// Drives qbittorrent-nox (4.x) by its Web API. It announces libtorrent's payload totals of this
// session, less what failed a hash check. A forced announce waits for the tracker's `min interval`.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
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

const WEB_PORT = 16_892;
const START_MS_MAX = 60_000;
/** What it calls the one feed that tests give it. */
const FEED = 'swarmkeep';

interface Info {
  readonly hash: string;
  readonly infohash_v1?: string;
  readonly infohash_v2?: string;
  readonly progress: number;
}

export class QBittorrent implements BitTorrentClient {
  readonly name = 'qbittorrent';
  readonly #child: Child;
  readonly #url: string;

  private constructor(options: ClientOptions) {
    const folder = join(options.folder, 'qBittorrent', 'config');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'qBittorrent.conf'), settingsOf(options));
    this.#url = `http://${options.address}:${WEB_PORT}/api/v2`;
    const command = ['qbittorrent-nox', `--profile=${options.folder}`, `--webui-port=${WEB_PORT}`];
    this.#child = new Child(this.name, command, { QT_QPA_PLATFORM: 'offscreen' });
  }

  static async start(options: ClientOptions): Promise<QBittorrent> {
    const client = new QBittorrent(options);
    await waitFor('qbittorrent-nox to answer', START_MS_MAX, async () => {
      if (client.#child.hasEnded) throw new Error(`It ended: ${client.#child.output}`);
      return await client.#get('app/version').catch(() => undefined);
    });
    return client;
  }

  async add(torrentFile: string, saveFolder: string): Promise<void> {
    const form = new FormData();
    const name = torrentFile.split('/').at(-1) ?? 'a.torrent';
    form.set('torrents', new Blob([readFileSync(torrentFile)]), name);
    form.set('savepath', saveFolder);
    form.set('root_folder', 'true');
    form.set('contentLayout', 'Original');
    const before = (await this.#list()).length;
    await this.#post('torrents/add', form);
    // It says yes first and adds a moment later.
    await waitFor('qbittorrent to add a torrent', START_MS_MAX, async () =>
      (await this.#list()).length > before ? true : undefined,
    );
  }

  async announce(infoHash: string): Promise<void> {
    const { hash } = await this.#find(infoHash);
    await this.#post('torrents/reannounce', new URLSearchParams({ hashes: hash }));
  }

  async status(infoHash: string): Promise<TorrentStatus> {
    const { hash, progress } = await this.#find(infoHash);
    const properties = (await this.#json(`torrents/properties?hash=${hash}`)) as {
      readonly total_uploaded_session: number;
      readonly total_downloaded_session: number;
    };
    const trackers = (await this.#json(`torrents/trackers?hash=${hash}`)) as {
      readonly url: string;
      readonly msg: string;
    }[];
    // The first three are its own pseudo trackers: ** [DHT] ** and so on.
    const messages = trackers.filter((tracker) => !tracker.url.startsWith('**'));
    return {
      progress,
      uploaded: properties.total_uploaded_session,
      downloaded: properties.total_downloaded_session,
      trackerMessage: messages.map((tracker) => tracker.msg).find((text) => text !== '') ?? '',
    };
  }

  async connect(infoHash: string, address: string, port: number): Promise<boolean> {
    const peer = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
    const { hash } = await this.#find(infoHash);
    await this.#post('torrents/addPeers', new URLSearchParams({ hashes: hash, peers: peer }));
    return true;
  }

  async pause(infoHash: string): Promise<void> {
    const { hash } = await this.#find(infoHash);
    await this.#post('torrents/pause', new URLSearchParams({ hashes: hash }));
  }

  async resume(infoHash: string): Promise<void> {
    const { hash } = await this.#find(infoHash);
    await this.#post('torrents/resume', new URLSearchParams({ hashes: hash }));
  }

  async remove(infoHash: string): Promise<void> {
    const { hash } = await this.#find(infoHash);
    const form = new URLSearchParams({ hashes: hash, deleteFiles: 'false' });
    await this.#post('torrents/delete', form);
  }

  /** Reads an RSS feed from now on, and downloads every article of it by a rule of its own. */
  async follow(feedUrl: string, saveFolder: string): Promise<void> {
    const preferences = { rss_processing_enabled: true, rss_auto_downloading_enabled: true };
    const json = new URLSearchParams({ json: JSON.stringify(preferences) });
    await this.#post('app/setPreferences', json);
    await this.#post('rss/addFeed', new URLSearchParams({ url: feedUrl, path: FEED }));
    const rule = {
      enabled: true,
      affectedFeeds: [feedUrl],
      savePath: saveFolder,
      addPaused: false,
    };
    await this.#post(
      'rss/setRule',
      new URLSearchParams({ ruleName: 'everything', ruleDef: JSON.stringify(rule) }),
    );
  }

  /** Asks for the feed now, as it does by itself every half hour. */
  async readFeed(): Promise<void> {
    await this.#post('rss/refreshItem', new URLSearchParams({ itemPath: FEED }));
  }

  /** Whether it has that torrent, wherever from. */
  async has(infoHash: string): Promise<boolean> {
    return (await this.#list()).some((one) => one.hash === infoHash);
  }

  async stop(): Promise<void> {
    await this.#child.end('SIGTERM');
  }

  async kill(): Promise<void> {
    await this.#child.end('SIGKILL');
  }

  /** It names a hybrid torrent by its truncated v2 hash, whichever hash we know it by. */
  async #find(infoHash: string): Promise<Info> {
    const info = (await this.#list()).find(
      (one) =>
        one.hash === infoHash ||
        one.infohash_v1 === infoHash ||
        one.infohash_v2?.slice(0, 40) === infoHash,
    );
    if (info === undefined) throw new Error(`qbittorrent does not know ${infoHash}`);
    return info;
  }

  async #list(): Promise<Info[]> {
    return (await this.#json('torrents/info')) as Info[];
  }

  async #get(path: string): Promise<string> {
    const response = await fetchSteadily(`${this.#url}/${path}`);
    const text = await response.text();
    if (!response.ok) throw new Error(`qbittorrent ${path}: ${response.status} ${text}`);
    return text;
  }

  async #json(path: string): Promise<unknown> {
    return JSON.parse(await this.#get(path));
  }

  async #post(path: string, body: FormData | URLSearchParams): Promise<void> {
    const response = await fetchSteadily(`${this.#url}/${path}`, { method: 'POST', body });
    const text = await response.text();
    if (!response.ok || text === 'Fails.') {
      throw new Error(`qbittorrent ${path}: ${response.status} ${text}`);
    }
  }
}

function settingsOf(options: ClientOptions): string {
  // One address or none can be given; without one it listens on all, which dual-stack tests need,
  // and then its outgoing address is the kernel's choice.
  const addresses = options.address6 === undefined ? options.address : '';
  return `[LegalNotice]
Accepted=true

[BitTorrent]
Session\\AddTorrentStopped=false
Session\\AnnounceToAllTrackers=false
Session\\BTProtocol=TCP
Session\\DHTEnabled=false
Session\\InterfaceAddress=${addresses}
Session\\LSDEnabled=false
Session\\MultiConnectionsPerIp=true
Session\\PeXEnabled=false
Session\\Port=${PEER_PORTS.qbittorrent}
Session\\QueueingSystemEnabled=false
Session\\SSRFMitigation=false
Session\\ValidateHTTPSTrackerCertificate=false

[Network]
PortForwardingEnabled=false

[Preferences]
WebUI\\Address=${options.address}
WebUI\\CSRFProtection=false
WebUI\\AuthSubnetWhitelist=0.0.0.0/0, ::/0
WebUI\\AuthSubnetWhitelistEnabled=true
WebUI\\HostHeaderValidation=false
WebUI\\LocalHostAuth=false
WebUI\\Port=${WEB_PORT}
`;
}
