// Branded ids: a member id cannot be passed where a torrent id is meant. They are made here and
// nowhere else; each maker checks its input, so a branded value is always well formed.

import { fromHex, toHex } from '#base/bytes.ts';

declare const brand: unique symbol;
type Branded<Base, Name extends string> = Base & { readonly [brand]: Name };

/** SQL id of a member, 1 … 2^32-1. Zero stands for "nobody" in wire and swarm records. */
export type MemberId = Branded<number, 'MemberId'>;
/** SQL id of a torrent, 1 … 2^32-1. A hybrid torrent has one id and two info hashes. */
export type TorrentId = Branded<number, 'TorrentId'>;
/** 20 bytes: SHA-1 of a v1 info dictionary, or the first 20 bytes of a v2 one's SHA-256 (BEP 52). */
export type InfoHash = Branded<Uint8Array, 'InfoHash'>;
/** 20 bytes a client chose for itself (BEP 3). */
export type PeerId = Branded<Uint8Array, 'PeerId'>;
/** 1 to 64 characters of `A-Z a-z 0-9 _ -`: names a member in an announce URL. A secret. */
export type Passkey = Branded<string, 'Passkey'>;
/** `sha256-` and 64 lower-case hex digits. */
export type BlobRef = Branded<string, 'BlobRef'>;

const ID_MAX = 0xffff_ffff;

export function memberId(value: number): MemberId | undefined {
  return isId(value) ? (value as MemberId) : undefined;
}

export function torrentId(value: number): TorrentId | undefined {
  return isId(value) ? (value as TorrentId) : undefined;
}

function isId(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= ID_MAX;
}

export function infoHash(bytes: Uint8Array): InfoHash | undefined {
  return bytes.byteLength === 20 ? (bytes as InfoHash) : undefined;
}

export function infoHashFromHex(text: string): InfoHash | undefined {
  const bytes = text.length === 40 ? fromHex(text) : undefined;
  return bytes === undefined ? undefined : infoHash(bytes);
}

export function infoHashToHex(hash: InfoHash): string {
  return toHex(hash);
}

export function peerId(bytes: Uint8Array): PeerId | undefined {
  return bytes.byteLength === 20 ? (bytes as PeerId) : undefined;
}

export function passkey(text: string): Passkey | undefined {
  return /^[A-Za-z0-9_-]{1,64}$/.test(text) ? (text as Passkey) : undefined;
}

export function blobRef(text: string): BlobRef | undefined {
  return /^sha256-[0-9a-f]{64}$/.test(text) ? (text as BlobRef) : undefined;
}
