// What the site tells the trackers, as records of the log topic `control`. Each message carries the
// whole state of one thing under that thing's key, so the newest message of a key is all a tracker
// needs (compaction keeps it), applying one twice changes nothing, and order per key is what counts.
// Encoding: UTF-8 JSON with the fields below; unknown fields are ignored, unknown kinds skipped,
// so an older tracker can follow a newer site. `outboxId` is the row that a record was made of, and
// `requestId` the request to the site that changed it, where it was one: readers go by neither.

import { unreachable } from '#base/assert.ts';
import { utf8 } from '#base/bytes.ts';

export type TrackerMode = 'private' | 'members' | 'listed' | 'open';

/** `key` of the record: `member:7`. `removed` is final; the id is never used again. */
export interface MemberMessage {
  readonly kind: 'member';
  readonly memberId: number;
  /** The keys that name this member in announces; a reset replaces the list, in one message. */
  readonly passkeys: readonly string[];
  readonly state: 'active' | 'banned' | 'removed';
  /** Why, in words that the member's client will show. Empty while active. */
  readonly reason: string;
  readonly mayLeech: boolean;
  /** Marked `protected`: the address is never written to the log. */
  readonly isProtected: boolean;
}

/** `torrent:12`. A hybrid torrent has both hashes; each is 40 hex digits (v2 truncated, BEP 52). */
export interface TorrentMessage {
  readonly kind: 'torrent';
  readonly torrentId: number;
  readonly infoHashV1?: string;
  readonly infoHashV2?: string;
  readonly state: 'active' | 'removed';
  /** Why it was removed, in words that a client will show. Empty while active. */
  readonly reason: string;
  /** Percent of the real bytes that are credited. 100 and 100 unless freeleech or the like. */
  readonly uploadCreditPercent: number;
  readonly downloadCreditPercent: number;
}

/** `download-key:<key>`: a key made for one member's download of one torrent (T17). */
export interface DownloadKeyMessage {
  readonly kind: 'download-key';
  readonly key: string;
  readonly memberId: number;
  readonly torrentId: number;
  readonly state: 'active' | 'revoked';
}

/** `settings`: what the operator changes while the tracker runs (T16). */
export interface SettingsMessage {
  readonly kind: 'settings';
  readonly mode: TrackerMode;
  /** Peer id prefixes, `-TR30`. Deny wins; an empty allow list allows every client. */
  readonly clientsAllowed: readonly string[];
  readonly clientsDenied: readonly string[];
}

/**
 * `credit-window:3`: for a time other percentages than the torrent's own count (freeleech, multipliers,
 * a token). Of several open ones the best for the member does. A removed id is never used again.
 */
export interface CreditWindowMessage {
  readonly kind: 'credit-window';
  readonly windowId: number;
  /** 0: everybody. */
  readonly memberId: number;
  /** 0: every torrent. */
  readonly torrentId: number;
  readonly state: 'active' | 'removed';
  readonly uploadCreditPercent: number;
  readonly downloadCreditPercent: number;
  /** Unix milliseconds: open from the first until just before the second. */
  readonly fromMs: number;
  readonly untilMs: number;
}

/** `address-ban:5`: whoever announces from that network is refused. A removed id is never used again. */
export interface AddressBanMessage {
  readonly kind: 'address-ban';
  readonly banId: number;
  /** `203.0.113.0/24`, `2001:db8::/32`. */
  readonly network: string;
  readonly state: 'active' | 'removed';
  /** Why, in words that the client will show; may be empty. */
  readonly reason: string;
}

export type ControlMessage =
  | AddressBanMessage
  | MemberMessage
  | TorrentMessage
  | DownloadKeyMessage
  | SettingsMessage
  | CreditWindowMessage;

/** The record's key: one thing's messages share it, and only the newest of a key is needed. */
export function controlKey(message: ControlMessage): string {
  switch (message.kind) {
    case 'address-ban':
      return `address-ban:${message.banId}`;
    case 'member':
      return `member:${message.memberId}`;
    case 'torrent':
      return `torrent:${message.torrentId}`;
    case 'download-key':
      return `download-key:${message.key}`;
    case 'settings':
      return 'settings';
    case 'credit-window':
      return `credit-window:${message.windowId}`;
    default:
      return unreachable(message);
  }
}

/** `outboxId` says which row of the outbox became this record, so that a repeat is recognised. */
export function encodeControl(message: ControlMessage, outboxId: number): Uint8Array {
  return utf8(JSON.stringify({ ...message, outboxId }));
}

export interface DecodedControl {
  readonly message: ControlMessage;
  readonly outboxId: number;
}

/** Undefined for what is no control message of a kind that this version knows. Never throws. */
export function decodeControl(bytes: Uint8Array): DecodedControl | undefined {
  const fields = parseObject(bytes);
  if (fields === undefined) return undefined;
  const message = readMessage(fields);
  const { outboxId } = fields;
  if (message === undefined || !isCount(outboxId)) return undefined;
  return { message, outboxId };
}

type Fields = Readonly<Record<string, unknown>>;

/** One for all: a start decodes a message for every member and torrent there is. */
const decoder = new TextDecoder('utf-8', { fatal: true });

function parseObject(bytes: Uint8Array): Fields | undefined {
  try {
    const value: unknown = JSON.parse(decoder.decode(bytes));
    return typeof value === 'object' && value !== null ? (value as Fields) : undefined;
  } catch {
    return undefined;
  }
}

function readMessage(fields: Fields): ControlMessage | undefined {
  switch (fields.kind) {
    case 'address-ban':
      return readAddressBan(fields);
    case 'member':
      return readMember(fields);
    case 'torrent':
      return readTorrent(fields);
    case 'download-key':
      return readDownloadKey(fields);
    case 'settings':
      return readSettings(fields);
    case 'credit-window':
      return readCreditWindow(fields);
    default:
      return undefined;
  }
}

function readAddressBan(fields: Fields): AddressBanMessage | undefined {
  const { banId, network, state, reason } = fields;
  if (!isId(banId) || typeof network !== 'string' || typeof reason !== 'string') return undefined;
  if (state !== 'active' && state !== 'removed') return undefined;
  return { kind: 'address-ban', banId, network, state, reason };
}

function readMember(fields: Fields): MemberMessage | undefined {
  const { memberId, passkeys, state, reason, mayLeech, isProtected } = fields;
  if (!isId(memberId) || !isTexts(passkeys) || typeof reason !== 'string') return undefined;
  if (state !== 'active' && state !== 'banned' && state !== 'removed') return undefined;
  if (typeof mayLeech !== 'boolean' || typeof isProtected !== 'boolean') return undefined;
  return { kind: 'member', memberId, passkeys, state, reason, mayLeech, isProtected };
}

function readTorrent(fields: Fields): TorrentMessage | undefined {
  const { torrentId, infoHashV1, infoHashV2, state, reason } = fields;
  const { uploadCreditPercent, downloadCreditPercent } = fields;
  if (!isId(torrentId) || typeof reason !== 'string') return undefined;
  if (state !== 'active' && state !== 'removed') return undefined;
  if (!isPercent(uploadCreditPercent) || !isPercent(downloadCreditPercent)) return undefined;
  if (infoHashV1 !== undefined && !isHash(infoHashV1)) return undefined;
  if (infoHashV2 !== undefined && !isHash(infoHashV2)) return undefined;
  if (infoHashV1 === undefined && infoHashV2 === undefined) return undefined;
  return {
    kind: 'torrent',
    torrentId,
    ...(infoHashV1 === undefined ? {} : { infoHashV1 }),
    ...(infoHashV2 === undefined ? {} : { infoHashV2 }),
    state,
    reason,
    uploadCreditPercent,
    downloadCreditPercent,
  };
}

function readDownloadKey(fields: Fields): DownloadKeyMessage | undefined {
  const { key, memberId, torrentId, state } = fields;
  if (typeof key !== 'string' || !isId(memberId) || !isId(torrentId)) return undefined;
  if (state !== 'active' && state !== 'revoked') return undefined;
  return { kind: 'download-key', key, memberId, torrentId, state };
}

function readSettings(fields: Fields): SettingsMessage | undefined {
  const { mode, clientsAllowed, clientsDenied } = fields;
  if (!isMode(mode) || !isTexts(clientsAllowed) || !isTexts(clientsDenied)) return undefined;
  return { kind: 'settings', mode, clientsAllowed, clientsDenied };
}

function readCreditWindow(fields: Fields): CreditWindowMessage | undefined {
  const { windowId, memberId, torrentId, state, fromMs, untilMs } = fields;
  const { uploadCreditPercent, downloadCreditPercent } = fields;
  if (!isId(windowId) || !isIdOrAll(memberId) || !isIdOrAll(torrentId)) return undefined;
  if (state !== 'active' && state !== 'removed') return undefined;
  if (!isPercent(uploadCreditPercent) || !isPercent(downloadCreditPercent)) return undefined;
  if (!isCount(fromMs) || !isCount(untilMs)) return undefined;
  return {
    kind: 'credit-window',
    windowId,
    memberId,
    torrentId,
    state,
    uploadCreditPercent,
    downloadCreditPercent,
    fromMs,
    untilMs,
  };
}

function isMode(value: unknown): value is TrackerMode {
  return value === 'private' || value === 'members' || value === 'listed' || value === 'open';
}

function isId(value: unknown): value is number {
  return isCount(value) && value >= 1 && value <= 0xffff_ffff;
}

function isIdOrAll(value: unknown): value is number {
  return value === 0 || isId(value);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isPercent(value: unknown): value is number {
  return isCount(value) && value <= 0xffff;
}

function isHash(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{40}$/.test(value);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
