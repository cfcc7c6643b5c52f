// Codes of an app: TOTP by RFC 6238 over HOTP by RFC 4226, as every authenticator app does it by default:
// HMAC-SHA-1, six digits, a new code every 30 seconds.

import { createHmac } from 'node:crypto';
import { utf8 } from '#base/bytes.ts';
import { secretEqual } from '#base/secret-equal.ts';

export const TOTP_SECRET_BYTES = 20;
const DIGITS = 6;
const STEP_MS = 30_000;
/** Clocks may differ by so many steps. */
const STEPS_OFF_MAX = 1;
const CODE = /^\d{6}$/;
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** The code of one step: HOTP with the step as its counter. */
export function codeOf(secret: Uint8Array, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac('sha1', secret).update(counter).digest();
  const at = mac.readUInt8(mac.byteLength - 1) & 0xf;
  const number = mac.readUInt32BE(at) & 0x7fffffff;
  return String(number % 10 ** DIGITS).padStart(DIGITS, '0');
}

export function stepAt(nowMs: number): number {
  return Math.floor(nowMs / STEP_MS);
}

/**
 * The step that a code belongs to: the current one or a neighbour, and later than `lastStep`, so that a
 * code that somebody watched cannot be used again. Undefined for any other.
 */
export function matchingStep(
  secret: Uint8Array,
  typed: string,
  at: { readonly nowMs: number; readonly lastStep: number },
): number | undefined {
  const code = typed.replaceAll(/\s/g, '');
  if (!CODE.test(code)) return undefined;
  const now = stepAt(at.nowMs);
  let found: number | undefined;
  for (let step = now - STEPS_OFF_MAX; step <= now + STEPS_OFF_MAX; step += 1) {
    const isIt = secretEqual(utf8(codeOf(secret, step)), utf8(code));
    if (isIt && step > at.lastStep) found = step;
  }
  return found;
}

/** RFC 4648, without padding, as apps take a secret that is typed in. */
export function base32(bytes: Uint8Array): string {
  let bits = 0;
  let held = 0;
  let text = '';
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    for (; bits >= 5; bits -= 5) text += BASE32[(held >>> (bits - 5)) & 31];
    held &= (1 << bits) - 1;
  }
  return bits === 0 ? text : text + BASE32[(held << (5 - bits)) & 31];
}

/** What the QR code holds. */
export function totpUri(
  secret: Uint8Array,
  of: { readonly site: string; readonly name: string },
): string {
  const label = encodeURIComponent(`${of.site}:${of.name}`);
  const issuer = encodeURIComponent(of.site);
  return `otpauth://totp/${label}?secret=${base32(secret)}&issuer=${issuer}`;
}
