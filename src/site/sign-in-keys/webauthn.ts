// What a browser answers when it makes or uses a key of the device (WebAuthn level 2, "passkeys"), checked.
// Attestation is not asked for: which maker built the device is nobody's business here, so that there is
// no certificate to read, and the public key comes from the browser as SPKI (`getPublicKey`): it is as
// true as the rest of an answer without attestation. What proves something is the signature later.

import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { utf8 } from '#base/bytes.ts';
import { secretEqual } from '#base/secret-equal.ts';

/** COSE names of what keys of devices sign with: ES256, Ed25519, RS256. */
export const KEY_ALGORITHMS = [-7, -8, -257] as const;
export type KeyAlgorithm = (typeof KEY_ALGORITHMS)[number];

/** For whom a key is made: a host name, and the address under which pages are read. */
export interface RelyingParty {
  readonly id: string;
  readonly origin: string;
}

/** What both kinds of answer must belong to. */
export interface Asked extends RelyingParty {
  /** As it was sent to the browser, in base64url. */
  readonly challenge: string;
}

export interface NewKey {
  /** Base64url. */
  readonly credential: string;
  /** SPKI, DER. */
  readonly publicKey: Uint8Array;
  readonly algorithm: KeyAlgorithm;
  /** How often it was used, as it says itself; 0 for those that do not count. */
  readonly uses: number;
}

const BYTES_MAX = 8192;
const CREDENTIAL_BYTES_MAX = 1023;
/** SHA-256 of the party's id, one byte of flags, four of the count. */
const HEAD_BYTES = 37;
const AAGUID_BYTES = 16;
const FLAG_PRESENT = 0x01;
const FLAG_VERIFIED = 0x04;
const FLAG_CREDENTIAL = 0x40;

/**
 * Undefined unless the answer is one to what was asked, and whoever gave it showed the device who they
 * are.
 */
export function readNewKey(
  asked: Asked,
  answer: {
    readonly credential: string;
    readonly clientData: string;
    readonly authData: string;
    readonly publicKey: string;
    readonly algorithm: string;
  },
): NewKey | undefined {
  const algorithm = KEY_ALGORITHMS.find((one) => String(one) === answer.algorithm);
  const publicKey = decode(answer.publicKey);
  const head = readAuthData(asked, answer.authData);
  if (algorithm === undefined || publicKey === undefined || head === undefined) return undefined;
  if (!isAnswer(asked, answer.clientData, 'webauthn.create')) return undefined;
  if (credentialIn(head) !== answer.credential) return undefined;
  if (keyOf(publicKey, algorithm) === undefined) return undefined;
  return { credential: answer.credential, publicKey, algorithm, uses: head.uses };
}

/** How often the key was used by now; undefined unless the signature is its own, to what was asked. */
export function readUse(
  asked: Asked,
  key: Pick<NewKey, 'publicKey' | 'algorithm'>,
  answer: { readonly clientData: string; readonly authData: string; readonly signature: string },
): number | undefined {
  const head = readAuthData(asked, answer.authData);
  const clientData = decode(answer.clientData);
  const signature = decode(answer.signature);
  if (head === undefined || clientData === undefined || signature === undefined) return undefined;
  if (!isAnswer(asked, answer.clientData, 'webauthn.get')) return undefined;
  const publicKey = keyOf(key.publicKey, key.algorithm);
  if (publicKey === undefined) return undefined;
  const signed = Buffer.concat([head.bytes, createHash('sha256').update(clientData).digest()]);
  const hash = key.algorithm === -8 ? null : 'sha256';
  return verify(hash, signed, publicKey, signature) ? head.uses : undefined;
}

interface AuthData {
  readonly bytes: Buffer;
  readonly flags: number;
  readonly uses: number;
}

/** Of this party, with the person present and known to the device. */
function readAuthData({ id }: RelyingParty, text: string): AuthData | undefined {
  const bytes = decode(text);
  if (bytes === undefined || bytes.byteLength < HEAD_BYTES) return undefined;
  const party = createHash('sha256').update(utf8(id)).digest();
  if (!secretEqual(bytes.subarray(0, 32), party)) return undefined;
  const flags = bytes.readUInt8(32);
  const wanted = FLAG_PRESENT | FLAG_VERIFIED;
  return (flags & wanted) === wanted ? { bytes, flags, uses: bytes.readUInt32BE(33) } : undefined;
}

function credentialIn({ bytes, flags }: AuthData): string | undefined {
  const lengthAt = HEAD_BYTES + AAGUID_BYTES;
  if ((flags & FLAG_CREDENTIAL) === 0 || bytes.byteLength < lengthAt + 2) return undefined;
  const length = bytes.readUInt16BE(lengthAt);
  const start = lengthAt + 2;
  if (length === 0 || length > CREDENTIAL_BYTES_MAX || bytes.byteLength < start + length) {
    return undefined;
  }
  return bytes.subarray(start, start + length).toString('base64url');
}

function isAnswer({ challenge, origin }: Asked, clientData: string, type: string): boolean {
  const bytes = decode(clientData);
  if (bytes === undefined) return false;
  let read: unknown;
  try {
    read = JSON.parse(bytes.toString('utf8'));
  } catch {
    return false;
  }
  if (typeof read !== 'object' || read === null) return false;
  const said = read as Readonly<Record<string, unknown>>;
  return (
    said['type'] === type &&
    said['challenge'] === challenge &&
    said['origin'] === origin &&
    said['crossOrigin'] !== true
  );
}

/** Undefined when it is no key of that kind. */
function keyOf(spki: Uint8Array, algorithm: KeyAlgorithm): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
    switch (algorithm) {
      case -7:
        return type === 'ec' && details?.namedCurve === 'prime256v1' ? key : undefined;
      case -8:
        return type === 'ed25519' ? key : undefined;
      case -257:
        return type === 'rsa' && (details?.modulusLength ?? 0) >= 2048 ? key : undefined;
    }
  } catch {
    return undefined;
  }
}

function decode(text: string): Buffer | undefined {
  if (text === '' || text.length > 2 * BYTES_MAX || !/^[\w-]+$/.test(text)) return undefined;
  return Buffer.from(text, 'base64url');
}
