// Signed events: what the archive keeps, told in a topic of the log, so that the catalogue can be made
// again from log and blobs alone (reindex.ts). This file owns the format of a record's value, version 1.
//
//   0    8   "SKEVNT1\n"
//   8    32  SHA-256 of the value of the event before it; zero for the first
//   40   32  public key of the signer (Ed25519)
//   72   64  signature of bytes 0 to 71 and the body
//   136  …   body: UTF-8 JSON
//
// An event's name is the SHA-256 of its value in hex. The first event, and every one that follows a key
// that was lost, is a `key` event that signs itself; any other `key` event is signed by the key in force
// and puts another in its place. All others are signed by the key in force. So one lost, changed, doubled
// or moved event is found, and whoever cannot sign can add none.

import { createHash, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { assert } from '#base/assert.ts';
import { bytesEqual, toHex, utf8 } from '#base/bytes.ts';
import { type BlobRef, blobRef } from '#base/ids.ts';

export const EVENTS_TOPIC = 'archive-events';
export const EVENT_KEY_BYTES = 32;

const MAGIC = Buffer.from('SKEVNT1\n', 'latin1');
const HASH_BYTES = 32;
const KEY_AT = 40;
const SIGNATURE_AT = 72;
const BODY_AT = 136;
/** DER before the 32 bytes of a private and of a public key (RFC 8410). */
const PRIVATE_DER = Buffer.from('302e020100300506032b657004220420', 'hex');
const PUBLIC_DER = Buffer.from('302a300506032b6570032100', 'hex');

/** What must be known of a torrent to put it back into a catalogue that lost it. */
export interface EventTorrent {
  /** 40 lower-case hex digits. */
  readonly infoHash: string;
  /** The site's id, which the log's transfers have too. */
  readonly id: number;
  /** The blob of its .torrent file. */
  readonly file: BlobRef;
  /** Of a file of more bytes than a blob: those that follow, in their order. Absent for all others. */
  readonly rest?: readonly BlobRef[];
  readonly title: string;
  readonly description: string;
  readonly category: string;
  readonly tags: readonly string[];
}

/**
 * What every event but `key` says: the change of the catalogue it tells of, for whoever looks for it
 * again.
 */
interface Told {
  readonly change: string;
}

export type EventBody =
  /** From here on events are signed by this key, 64 hex digits. */
  | { readonly kind: 'key'; readonly key: string }
  /** Kept: the files are in lists (entry-list.ts). */
  | (Told & {
      readonly kind: 'keep';
      readonly torrent: EventTorrent;
      /** Unix milliseconds. */
      readonly keptMs: number;
      readonly lists: readonly BlobRef[];
    })
  /** To be taken from its swarm. */
  | (Told & { readonly kind: 'want'; readonly torrent: EventTorrent; readonly wantedMs: number })
  /** Takes back events by their names: the torrent is neither kept nor wanted any more. */
  | (Told & {
      readonly kind: 'delete';
      readonly infoHash: string;
      readonly withdraws: readonly string[];
    });

export interface ArchiveEvent {
  readonly name: string;
  /** 32 bytes: of the event before it, and of the signer. */
  readonly previous: Uint8Array;
  readonly key: Uint8Array;
  readonly body: EventBody;
}

/** A key that signs, from its 32 secret bytes. */
export class EventKey {
  readonly publicKey: Uint8Array;
  readonly #private: ReturnType<typeof createPrivateKey>;

  constructor(secret: Uint8Array) {
    assert(secret.length === EVENT_KEY_BYTES, 'a key has 32 bytes');
    const der = Buffer.concat([PRIVATE_DER, secret]);
    this.#private = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    const spki = createPublicKey(this.#private).export({ format: 'der', type: 'spki' });
    this.publicKey = new Uint8Array(spki.subarray(PUBLIC_DER.length));
  }

  /** The value of the record. `previous`: 32 bytes. */
  event(body: EventBody, previous: Uint8Array): Uint8Array {
    const head = Buffer.concat([MAGIC, previous, this.publicKey]);
    const text = utf8(JSON.stringify(body));
    const signature = sign(null, Buffer.concat([head, text]), this.#private);
    return new Uint8Array(Buffer.concat([head, signature, text]));
  }
}

/** What the next event names as the one before it. */
export function eventHash(value: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(value).digest());
}

export const NO_EVENT: Uint8Array = new Uint8Array(HASH_BYTES);

/** The event, its signature checked against the key it names; or what is wrong with it, in words. */
export function decodeEvent(value: Uint8Array): ArchiveEvent | string {
  if (value.length <= BODY_AT || !bytesEqual(value.subarray(0, MAGIC.length), MAGIC)) {
    return 'it is no event';
  }
  const key = value.slice(KEY_AT, SIGNATURE_AT);
  const signed = Buffer.concat([value.subarray(0, SIGNATURE_AT), value.subarray(BODY_AT)]);
  if (!isSigned(signed, key, value.subarray(SIGNATURE_AT, BODY_AT))) {
    return 'its signature is not that of its bytes';
  }
  const body = bodyOf(value.subarray(BODY_AT));
  if (body === undefined) return 'it says nothing that this version understands';
  const previous = value.slice(MAGIC.length, KEY_AT);
  return { name: toHex(eventHash(value)), previous, key, body };
}

function isSigned(bytes: Uint8Array, key: Uint8Array, signature: Uint8Array): boolean {
  try {
    const der = Buffer.concat([PUBLIC_DER, key]);
    return verify(
      null,
      bytes,
      createPublicKey({ key: der, format: 'der', type: 'spki' }),
      signature,
    );
  } catch {
    // 32 bytes that are no point of the curve.
    return false;
  }
}

type Fields = Readonly<Record<string, unknown>>;

function bodyOf(bytes: Uint8Array): EventBody | undefined {
  let fields: Fields;
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (typeof value !== 'object' || value === null) return undefined;
    fields = value as Fields;
  } catch {
    return undefined;
  }
  const { kind, key, change, infoHash } = fields;
  if (kind === 'key') return isHex(key, 64) ? { kind, key } : undefined;
  if (typeof change !== 'string') return undefined;
  if (kind === 'delete') {
    const withdraws = listOf(fields['withdraws'], (text) => (isHex(text, 64) ? text : undefined));
    if (withdraws === undefined || !isHex(infoHash, 40)) return undefined;
    return { kind, change, infoHash, withdraws };
  }
  const torrent = torrentOf(fields['torrent']);
  if (torrent === undefined) return undefined;
  const { keptMs, wantedMs } = fields;
  if (kind === 'want' && isCount(wantedMs)) return { kind, change, torrent, wantedMs };
  if (kind !== 'keep' || !isCount(keptMs)) return undefined;
  const lists = listOf(fields['lists'], blobRef);
  return lists === undefined ? undefined : { kind, change, torrent, keptMs, lists };
}

function torrentOf(value: unknown): EventTorrent | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { infoHash, id, file, rest, title, description, category, tags } = value as Fields;
  const ref = typeof file === 'string' ? blobRef(file) : undefined;
  const words = listOf(tags, (tag) => tag);
  if (!isHex(infoHash, 40) || !isCount(id) || ref === undefined) return undefined;
  if (typeof title !== 'string' || typeof description !== 'string') return undefined;
  if (typeof category !== 'string' || words === undefined) return undefined;
  const torrent = { infoHash, id, file: ref, title, description, category, tags: words };
  if (rest === undefined) return torrent;
  const parts = listOf(rest, blobRef);
  return parts && { ...torrent, rest: parts };
}

/** The blobs of its .torrent file. */
export function fileRefs({ file, rest = [] }: EventTorrent): readonly BlobRef[] {
  return [file, ...rest];
}

function listOf<Item>(
  value: unknown,
  itemOf: (text: string) => Item | undefined,
): readonly Item[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const items: Item[] = [];
  for (const one of value) {
    const item = typeof one === 'string' ? itemOf(one) : undefined;
    if (item === undefined) return undefined;
    items.push(item);
  }
  return items;
}

function isHex(value: unknown, digits: number): value is string {
  return typeof value === 'string' && value.length === digits && /^[0-9a-f]+$/.test(value);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
