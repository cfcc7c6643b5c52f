// Headers of every answer. Pages run no script (but the one on which content is uploaded, its own), load
// styles and images from the site alone, and cannot be framed.

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
  const hasScript = response.headers.get('content-security-policy') === SCRIPT_POLICY;
  for (const [name, value] of Object.entries(HEADERS)) response.headers.set(name, value);
  if (hasScript) response.headers.set('content-security-policy', SCRIPT_POLICY);
  if (isSecure) response.headers.set('strict-transport-security', HSTS);
  if (!response.headers.has('cache-control')) {
    response.headers.set('cache-control', 'private, no-store');
  }
}
