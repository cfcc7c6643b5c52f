// What the end-to-end tests ask of a real BitTorrent client, whichever it is. One client has one
// address pair and one folder of its own for settings; torrents are named by their v1 info hash (the
// truncated v2 one for v2-only torrents), 40 lower-case hex digits.

export interface ClientOptions {
  /** IPv4 address that its controls are on, and that it listens on and speaks from. */
  readonly address: string;
  /**
   * Also an IPv6 one; without it the client speaks IPv4 only. Clients other than
   * libtorrent can be bound to one address or to all: with this they have all, and speak from the
   * one they speak to.
   */
  readonly address6?: string;
  /** For its settings; must exist and be empty. */
  readonly folder: string;
}

export interface TorrentStatus {
  /** 0 to 1. */
  readonly progress: number;
  /** Payload totals of this torrent since it was added, as the client would announce them now. */
  readonly uploaded: number;
  readonly downloaded: number;
  /** The tracker's last complaint (`failure reason`) or warning; empty when it was content. */
  readonly trackerMessage: string;
}

export interface BitTorrentClient {
  readonly name: string;
  /** Adds and starts. Content that is in `saveFolder` already is checked and then seeded. */
  add(torrentFile: string, saveFolder: string): Promise<void>;
  /**
   * Makes it announce again soon; resolves when asked for (or done, where that can be seen). Leave
   * it a few seconds: qBittorrent waits a second, and begins anew when it is asked again meanwhile.
   */
  announce(infoHash: string): Promise<void>;
  status(infoHash: string): Promise<TorrentStatus>;
  /** Dials a peer directly, where the client can; false where it cannot. */
  connect(infoHash: string, address: string, port: number): Promise<boolean>;
  /** Lets the torrent rest, announcing `stopped`; it stays known. */
  pause(infoHash: string): Promise<void>;
  /** Goes on with what was paused, announcing `started`. */
  resume(infoHash: string): Promise<void>;
  /** Forgets the torrent, announcing `stopped`; the content stays. */
  remove(infoHash: string): Promise<void>;
  /** Ends it in an orderly way: `stopped` is announced for every torrent. */
  stop(): Promise<void>;
  /** Ends it at once: nothing is announced. */
  kill(): Promise<void>;
}

/**
 * Where each client accepts peers. The ports differ because some clients listen on every address of
 * the machine, whatever they were told.
 */
export const PEER_PORTS = {
  libtorrent: 16_881,
  transmission: 16_882,
  qbittorrent: 16_883,
  aria2: 16_884,
} as const;

/**
 * fetch() that asks again when the connection failed: the small HTTP servers inside of these clients
 * close idle connections at the moment they are used again.
 */
export async function fetchSteadily(url: string, init: RequestInit = {}): Promise<Response> {
  for (let tries = 1; ; tries++) {
    try {
      return await fetch(url, init);
    } catch (error) {
      if (tries === 3) throw new Error(`Cannot fetch ${url}`, { cause: error });
    }
  }
}
