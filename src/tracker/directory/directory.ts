// Members, passkeys, torrents and settings in memory: all that an announce asks about. Fed by the
// topic `control` (control-follower.ts), never by SQL. A message carries the whole state of one
// thing, so applying one takes effect at once and completely: a reset passkey stops at the moment
// the new one starts.

import { assert } from '#base/assert.ts';
import { fromHex } from '#base/bytes.ts';
import { BytesMap } from '#base/bytes-map.ts';
import type { Family } from '#net/ip-address.ts';
import { NetworkTable, parseNetwork } from '#net/networks.ts';
import { CreditTable } from '#tracker/announce/credit-table.ts';
import {
  BANNED_ADDRESS_WORDS,
  BANNED_WORDS,
  REMOVED_MEMBER_WORDS,
  REMOVED_TORRENT_WORDS,
  type Refusal,
  refusalWithReason,
} from '#tracker/refusals.ts';
import type {
  AddressBanMessage,
  ControlMessage,
  CreditWindowMessage,
  DownloadKeyMessage,
  MemberMessage,
  SettingsMessage,
  TorrentMessage,
  TrackerMode,
} from '#wire/control-message.ts';
import { PASSKEY_BYTES_MAX } from '#wire/http-announce.ts';

const HASH_BYTES = 20;

export interface DirectoryMember {
  readonly memberId: number;
  readonly passkeys: readonly string[];
  readonly mayLeech: boolean;
  readonly isProtected: boolean;
  /** Set while banned: why every announce is refused. */
  readonly refusal: Refusal | undefined;
}

export interface DirectoryTorrent {
  readonly torrentId: number;
  /** 20 bytes each; a hybrid torrent has both, every torrent one. */
  readonly v1: Uint8Array | undefined;
  readonly v2: Uint8Array | undefined;
  readonly uploadCreditPercent: number;
  readonly downloadCreditPercent: number;
}

/** Whom a passkey names. */
export interface PasskeyHolder {
  readonly memberId: number;
  /** 0: good for every torrent. Else a download key, good for this one (T17). */
  readonly torrentId: number;
  /** The member as told with the key. A download key is told by itself: `Directory.member()` knows. */
  readonly member: DirectoryMember | undefined;
}

export interface DirectorySettings {
  readonly mode: TrackerMode;
  /** Peer id prefixes as bytes. */
  readonly clientsAllowed: readonly Uint8Array[];
  readonly clientsDenied: readonly Uint8Array[];
}

/** Who must hear of changes: the swarm holds exactly the registered torrents. */
export interface DirectoryObserver {
  torrentAdded(torrent: DirectoryTorrent): void;
  torrentRemoved(torrentId: number): void;
  /** Nobody may announce this hash (20 bytes) any more, in whatever mode. */
  hashRemoved(infoHash: Uint8Array): void;
  /**
   * Banned, removed, or a passkey of theirs is good no more: their peers must leave, those in one
   * torrent where one is named.
   */
  memberEnded(memberId: number, torrentId?: number): void;
  /** A network is banned: whoever is at one of its addresses must leave. */
  networkBanned(): void;
}

interface AddressBan {
  readonly banId: number;
  readonly refusal: Refusal;
}

export class Directory {
  /** Which percentages count beside the torrents' own. */
  readonly credits: CreditTable = new CreditTable();
  readonly #members = new Map<number, DirectoryMember>();
  readonly #passkeys = new BytesMap<PasskeyHolder>(PASSKEY_BYTES_MAX);
  readonly #torrents = new Map<number, DirectoryTorrent>();
  readonly #hashes = new BytesMap<DirectoryTorrent>(HASH_BYTES);
  /** What is remembered of things removed is asked for rarely; its keys are bytes as Latin-1 text. */
  readonly #removedHashes = new Map<string, { torrentId: number; refusal: Refusal }>();
  readonly #removedPasskeys = new Map<string, Refusal>();
  readonly #addressBans = new NetworkTable<AddressBan>();
  /** The newest message of every thing, for snapshots and to see what changed. */
  readonly #messages = new Map<string, ControlMessage>();
  readonly #removedMax: number;
  #observer: DirectoryObserver | undefined;
  #version = 0;
  #settings: DirectorySettings;

  constructor(options: {
    readonly settings: Omit<SettingsMessage, 'kind'>;
    /** Removed torrents, and keys of removed members, whose reason is remembered. */
    readonly removedMax: number;
  }) {
    this.#settings = settingsOf(options.settings);
    this.#removedMax = options.removedMax;
  }

  get settings(): DirectorySettings {
    return this.#settings;
  }

  get sizes(): { readonly members: number; readonly passkeys: number; readonly torrents: number } {
    return {
      members: this.#members.size,
      passkeys: this.#passkeys.size,
      torrents: this.#torrents.size,
    };
  }

  /** Tells the observer of every torrent there is, then of each change. Called once. */
  observe(observer: DirectoryObserver): void {
    assert(this.#observer === undefined, 'the directory has one observer');
    this.#observer = observer;
    for (const torrent of this.#torrents.values()) observer.torrentAdded(torrent);
  }

  /** Another one after each change, so that what was found before may be kept until then. */
  get version(): number {
    return this.#version;
  }

  /** The passkey's `length` bytes as they stood in the URL. */
  passkeyHolder(passkey: Uint8Array, length: number): PasskeyHolder | undefined {
    return this.#passkeys.get(passkey, length);
  }

  /** Why a key that is good no more is refused, where that is known. */
  passkeyRefusal(passkey: Uint8Array, length: number): Refusal | undefined {
    return this.#removedPasskeys.get(latin1(passkey, length));
  }

  /** Why nobody at this address (4 or 16 bytes) may announce; undefined when they may. */
  addressRefusal(address: Uint8Array, family: Family): Refusal | undefined {
    return this.#addressBans.find(address, family)?.refusal;
  }

  member(memberId: number): DirectoryMember | undefined {
    return this.#members.get(memberId);
  }

  torrent(torrentId: number): DirectoryTorrent | undefined {
    return this.#torrents.get(torrentId);
  }

  /** 20 bytes. */
  torrentByHash(infoHash: Uint8Array): DirectoryTorrent | undefined {
    return this.#hashes.get(infoHash, HASH_BYTES);
  }

  /** Why a hash that was registered once is so no more, where that is known. */
  torrentRefusal(infoHash: Uint8Array): Refusal | undefined {
    return this.#removedHashes.get(latin1(infoHash, HASH_BYTES))?.refusal;
  }

  /** Everything that is known, as the messages that make it again; in no order that matters. */
  *messages(): Generator<ControlMessage> {
    yield* this.#messages.values();
  }

  get messageCount(): number {
    return this.#messages.size;
  }

  /** Takes effect at once. Applying a message twice changes nothing. */
  apply(message: ControlMessage): void {
    this.#version++;
    switch (message.kind) {
      case 'member':
        this.#applyMember(message);
        return;
      case 'torrent':
        this.#applyTorrent(message);
        return;
      case 'download-key':
        this.#applyDownloadKey(message);
        return;
      case 'credit-window':
        this.#applyCreditWindow(message);
        return;
      case 'address-ban':
        this.#applyAddressBan(message);
        return;
      default:
        this.#settings = settingsOf(message);
        this.#messages.set('settings', message);
    }
  }

  /** Forgets everything but the settings, before the topic is read from its beginning. */
  clear(): void {
    this.#version++;
    for (const torrentId of [...this.#torrents.keys()]) this.#dropTorrent(torrentId);
    this.#members.clear();
    this.#passkeys.clear();
    this.#removedHashes.clear();
    this.#removedPasskeys.clear();
    this.#addressBans.clear();
    this.#messages.clear();
    this.credits.clear();
  }

  #applyMember(message: MemberMessage): void {
    const { memberId } = message;
    const before = this.#members.get(memberId);
    for (const passkey of before?.passkeys ?? []) this.#dropPasskey(passkey, memberId);
    const key = `member:${memberId}`;
    if (message.state === 'removed') {
      this.#members.delete(memberId);
      const refusal = refusalWithReason('member-removed', REMOVED_MEMBER_WORDS, message.reason);
      const passkeys = new Set([...(before?.passkeys ?? []), ...message.passkeys]);
      for (const passkey of passkeys) {
        remember(this.#removedPasskeys, { key: passkey, value: refusal, max: this.#removedMax });
      }
      // The id is never used again, so after this nothing needs the member.
      this.#messages.delete(key);
      this.#observer?.memberEnded(memberId);
      return;
    }
    const { passkeys, mayLeech, isProtected, reason } = message;
    const refusal =
      message.state === 'banned'
        ? refusalWithReason('member-banned', BANNED_WORDS, reason)
        : undefined;
    const member = { memberId, passkeys, mayLeech, isProtected, refusal };
    this.#members.set(memberId, member);
    for (const passkey of passkeys) {
      this.#setPasskey(passkey, { memberId, torrentId: 0, member });
      this.#removedPasskeys.delete(passkey);
    }
    this.#messages.set(key, message);
    const hasLostKey = before?.passkeys.some((passkey) => !passkeys.includes(passkey));
    if (refusal !== undefined || hasLostKey === true) this.#observer?.memberEnded(memberId);
  }

  #applyDownloadKey(message: DownloadKeyMessage): void {
    const { key, memberId, torrentId, state } = message;
    if (state === 'revoked') {
      this.#dropPasskey(key, memberId);
      // A key that was never told of has no peers.
      if (this.#messages.delete(`download-key:${key}`)) {
        this.#observer?.memberEnded(memberId, torrentId);
      }
      return;
    }
    this.#setPasskey(key, { memberId, torrentId, member: undefined });
    this.#messages.set(`download-key:${key}`, message);
  }

  #applyCreditWindow(message: CreditWindowMessage): void {
    this.credits.apply(message);
    const key = `credit-window:${message.windowId}`;
    if (message.state === 'active') this.#messages.set(key, message);
    else this.#messages.delete(key);
  }

  /** Two bans of one network, one after the other: the older one's end leaves the newer one. */
  #applyAddressBan(message: AddressBanMessage): void {
    const { banId, reason } = message;
    const network = parseNetwork(message.network);
    if (network === undefined) return;
    const key = `address-ban:${banId}`;
    if (message.state === 'removed') {
      this.#messages.delete(key);
      if (this.#addressBans.get(network)?.banId === banId) this.#addressBans.delete(network);
      return;
    }
    const refusal = refusalWithReason('address-banned', BANNED_ADDRESS_WORDS, reason);
    this.#addressBans.set(network, { banId, refusal });
    this.#messages.set(key, message);
    this.#observer?.networkBanned();
  }

  #applyTorrent(message: TorrentMessage): void {
    const { torrentId } = message;
    const key = `torrent:${torrentId}`;
    const v1 = hashBytes(message.infoHashV1);
    const v2 = hashBytes(message.infoHashV2);
    if (message.state === 'removed') {
      const before = this.#torrents.get(torrentId);
      this.#dropTorrent(torrentId);
      this.#rememberRemoved(message, [v1, v2, before?.v1, before?.v2]);
      return;
    }
    const { uploadCreditPercent, downloadCreditPercent } = message;
    const before = this.#torrents.get(torrentId);
    const isSame = before !== undefined && isEqual(before.v1, v1) && isEqual(before.v2, v2);
    if (before !== undefined && !isSame) this.#dropTorrent(torrentId);
    const torrent = { torrentId, v1, v2, uploadCreditPercent, downloadCreditPercent };
    this.#torrents.set(torrentId, torrent);
    for (const hash of [v1, v2]) {
      if (hash === undefined) continue;
      this.#hashes.set(hash, torrent);
      if (this.#removedHashes.size > 0) this.#removedHashes.delete(latin1(hash, HASH_BYTES));
    }
    this.#messages.set(key, message);
    if (!isSame) this.#observer?.torrentAdded(torrent);
  }

  #rememberRemoved(message: TorrentMessage, hashes: readonly (Uint8Array | undefined)[]): void {
    const { torrentId } = message;
    const refusal = refusalWithReason('torrent-removed', REMOVED_TORRENT_WORDS, message.reason);
    for (const hash of hashes) {
      if (hash === undefined) continue;
      // The same content may be registered anew under another id by now.
      if (this.#hashes.has(hash)) continue;
      this.#observer?.hashRemoved(hash);
      const key = latin1(hash, HASH_BYTES);
      const dropped = remember(this.#removedHashes, {
        key,
        value: { torrentId, refusal },
        max: this.#removedMax,
      });
      if (dropped !== undefined) this.#messages.delete(`torrent:${dropped.torrentId}`);
    }
    // Kept for snapshots as long as its reason is remembered.
    if (this.#removedMax > 0) this.#messages.set(`torrent:${torrentId}`, message);
    else this.#messages.delete(`torrent:${torrentId}`);
  }

  #dropTorrent(torrentId: number): void {
    const torrent = this.#torrents.get(torrentId);
    if (torrent === undefined) return;
    this.#torrents.delete(torrentId);
    for (const hash of [torrent.v1, torrent.v2]) {
      if (hash === undefined) continue;
      if (this.#hashes.get(hash)?.torrentId === torrentId) this.#hashes.delete(hash);
    }
    this.#observer?.torrentRemoved(torrentId);
  }

  #setPasskey(passkey: string, holder: PasskeyHolder): void {
    const key = passkeyBytes(passkey);
    // No announce can carry any other: the door reads no more.
    if (key.byteLength > 0 && key.byteLength <= PASSKEY_BYTES_MAX) this.#passkeys.set(key, holder);
  }

  #dropPasskey(passkey: string, memberId: number): void {
    const key = passkeyBytes(passkey);
    if (this.#passkeys.get(key)?.memberId === memberId) this.#passkeys.delete(key);
  }
}

function settingsOf(message: Omit<SettingsMessage, 'kind'>): DirectorySettings {
  return {
    mode: message.mode,
    clientsAllowed: message.clientsAllowed.map((prefix) => prefixBytes(prefix)),
    clientsDenied: message.clientsDenied.map((prefix) => prefixBytes(prefix)),
  };
}

function passkeyBytes(passkey: string): Uint8Array {
  return new Uint8Array(Buffer.from(passkey, 'latin1'));
}

function prefixBytes(prefix: string): Uint8Array {
  return new Uint8Array(Buffer.from(prefix, 'latin1'));
}

function hashBytes(hex: string | undefined): Uint8Array | undefined {
  return hex === undefined ? undefined : fromHex(hex);
}

function isEqual(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return Buffer.compare(a, b) === 0;
}

function latin1(bytes: Uint8Array, length: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, length).toString('latin1', 0, length);
}

/** Adds the entry as the newest; returns the oldest one's value when it had to go. */
function remember<Value>(
  map: Map<string, Value>,
  entry: { readonly key: string; readonly value: Value; readonly max: number },
): Value | undefined {
  map.delete(entry.key);
  if (entry.max === 0) return undefined;
  map.set(entry.key, entry.value);
  if (map.size <= entry.max) return undefined;
  const oldest = map.entries().next().value;
  if (oldest === undefined) return undefined;
  map.delete(oldest[0]);
  return oldest[1];
}
