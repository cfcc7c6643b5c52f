// Headers of every answer. Pages load styles and images from the site alone and cannot be framed. They run
// no script, but for the few that have one of the site's own; whatever else is served is no script, by
// its type and by `nosniff`.

import { CONTENT_POLICY } from '#archive/downloads/downloads.ts';

const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "style-src 'self'",
  "img-src 'self' data:",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ');

/** Of a page with a script of the site's own, which asks the site alone. */
export const SCRIPT_POLICY = `${CONTENT_SECURITY_POLICY}; script-src 'self'; connect-src 'self'`;

const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  // `no-referrer` would make browsers send `Origin: null` with our own forms.
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
};

const HSTS = 'max-age=31536000';

/** Sets them on an answer that was made by whichever handler. */
export function setSecurityHeaders(response: Response, isSecure: boolean): void {
  const policy = response.headers.get('content-security-policy') ?? '';
  for (const [name, value] of Object.entries(HEADERS)) response.headers.set(name, value);
  // Members' content comes with a stricter one of its own.
  const isKept = policy === SCRIPT_POLICY || policy === CONTENT_POLICY;
  if (isKept) response.headers.set('content-security-policy', policy);
  if (isSecure) response.headers.set('strict-transport-security', HSTS);
  if (!response.headers.has('cache-control')) {
    response.headers.set('cache-control', 'private, no-store');
  }
}
