// What a refused client reads. Words are for the person in front of the client, so they say what is
// wrong and, where there is something to do, what. Each is encoded once for both doors: those below
// at start, those with a reason of the site's when the site told it. A refusal allocates nothing.

import { utf8 } from '#base/bytes.ts';
import type { SwarmRefusal } from '#swarm/announce-outcome.ts';
import { encodeHttpFailure } from '#wire/http-response.ts';

export type RefusalCode =
  | 'request-invalid'
  | 'passkey-missing'
  | 'passkey-missing-udp'
  | 'passkey-unknown'
  | 'passkey-other-torrent'
  | 'address-banned'
  | 'member-banned'
  | 'member-removed'
  | 'member-may-not-leech'
  | 'client-denied'
  | 'client-not-allowed'
  | 'torrent-unregistered'
  | 'torrent-removed'
  | 'compact-required'
  | 'swarm-full'
  | 'member-peers'
  | 'member-torrents'
  | 'port-zero'
  | 'address-unknown'
  | 'peer-of-other'
  | 'scrape-empty'
  | 'scrape-unproven'
  | 'scrape-busy';

export interface Refusal {
  readonly code: RefusalCode;
  readonly words: string;
  /** The words as UTF-8, for UDP errors. */
  readonly text: Uint8Array;
  /** A whole HTTP answer, keep-alive and close. */
  readonly http: Uint8Array;
  readonly httpClose: Uint8Array;
}

/** Characters of a reason that the site gives; clients show one line. */
const REASON_LENGTH_MAX = 200;

export function newRefusal(code: RefusalCode, words: string): Refusal {
  return {
    code,
    words,
    text: utf8(words),
    http: encodeHttpFailure(words, false),
    httpClose: encodeHttpFailure(words, true),
  };
}

/** `your account is banned: reason`; without a reason the words alone. */
export function refusalWithReason(code: RefusalCode, words: string, reason: string): Refusal {
  const line = [...reason.replace(/\s+/g, ' ').trim()].slice(0, REASON_LENGTH_MAX).join('');
  return newRefusal(code, line === '' ? words : `${words}: ${line}`);
}

export const BANNED_WORDS = 'your account is banned';
export const BANNED_ADDRESS_WORDS = 'your network is banned here';
export const REMOVED_MEMBER_WORDS = 'your account was removed';
export const REMOVED_TORRENT_WORDS = 'unregistered torrent';

export const REFUSALS = {
  passkeyMissing: newRefusal(
    'passkey-missing',
    'the announce URL has no passkey: download the torrent again from the site',
  ),
  passkeyMissingUdp: newRefusal(
    'passkey-missing-udp',
    'your client sends no passkey over UDP: use the HTTP announce URL of this torrent',
  ),
  passkeyUnknown: newRefusal(
    'passkey-unknown',
    'unknown passkey: it was reset or mistyped, download the torrent again from the site',
  ),
  passkeyOtherTorrent: newRefusal(
    'passkey-other-torrent',
    'this key was made for another torrent: download this one from the site',
  ),
  mayNotLeech: newRefusal(
    'member-may-not-leech',
    'your account may not download at present: see your profile on the site',
  ),
  clientDenied: newRefusal('client-denied', 'your client is not allowed here'),
  clientNotAllowed: newRefusal(
    'client-not-allowed',
    'your client is not on the list of allowed clients: see the site',
  ),
  torrentUnregistered: newRefusal('torrent-unregistered', REMOVED_TORRENT_WORDS),
  compactRequired: newRefusal(
    'compact-required',
    'this tracker answers in compact form only: your client asked for compact=0',
  ),
  swarmFull: newRefusal('swarm-full', 'the tracker is full at present: try again later'),
  memberPeers: newRefusal(
    'member-peers',
    'too many peers: you run too many clients on this torrent',
  ),
  memberTorrents: newRefusal('member-torrents', 'you are active in too many torrents'),
  scrapeUnproven: newRefusal(
    'scrape-unproven',
    'announce first: scrapes over UDP are for members who announced from this address',
  ),
  portZero: newRefusal(
    'port-zero',
    'your client announced port 0, by which nobody can reach it: set a listening port',
  ),
  addressUnknown: newRefusal(
    'address-unknown',
    'the proxy in front of this tracker does not say your address: tell its operator',
  ),
  peerOfOther: newRefusal(
    'peer-of-other',
    'this peer id is announced by another connection: reload the page',
  ),
  scrapeBusy: newRefusal('scrape-busy', 'another full scrape is under way: try again in a minute'),
  scrapeEmpty: newRefusal('scrape-empty', 'a scrape must name an info_hash'),
} as const;

export const SWARM_REFUSALS: Readonly<Record<Exclude<SwarmRefusal, 'none'>, Refusal>> = {
  'torrent-unknown': REFUSALS.torrentUnregistered,
  'swarm-full': REFUSALS.swarmFull,
  'member-peers': REFUSALS.memberPeers,
  'member-torrents': REFUSALS.memberTorrents,
  'peer-of-other': REFUSALS.peerOfOther,
};

/** At most 28 bytes: with its header it is no longer than the shortest packet that earns it. */
export const STALE_ID_WORDS = 'connection id expired';
