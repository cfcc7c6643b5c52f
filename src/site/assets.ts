// The files that pages need beside themselves. There are few, they are made when the program starts,
// and each is served under a path with its content's hash, so that browsers keep it for ever. They
// are looked up in a map: no path can lead anywhere else. Each is packed once, at the start.

import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { utf8 } from '#base/bytes.ts';
import { liveScript } from './client/live-script.ts';
import { signInKeyScript } from './client/sign-in-key-script.ts';
import { uploadScript } from './client/upload-script.ts';
import { MARK_FILE } from './components/icon.ts';
import { takesGzip } from './packing.ts';
import { hrefTo } from './routes.ts';
import { stylesheet } from './style/stylesheet.ts';

export interface Asset {
  readonly file: string;
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The same by gzip. */
  readonly packed: Uint8Array<ArrayBuffer>;
  /** First 16 hexadecimal digits of the content's SHA-256. */
  readonly hash: string;
}

export type ScriptName = 'live.js' | 'sign-in-key.js' | 'upload.js';

export class Assets {
  readonly #assets = new Map<string, Asset>();
  readonly styleHref: string;
  readonly iconHref: string;
  readonly scriptHrefs: Readonly<Record<ScriptName, string>>;

  constructor() {
    this.styleHref = this.#add('style.css', 'text/css; charset=utf-8', stylesheet());
    this.iconHref = this.#add('mark.svg', 'image/svg+xml', MARK_FILE);
    this.scriptHrefs = {
      'live.js': this.#add('live.js', 'text/javascript; charset=utf-8', liveScript),
      'sign-in-key.js': this.#add(
        'sign-in-key.js',
        'text/javascript; charset=utf-8',
        signInKeyScript,
      ),
      'upload.js': this.#add('upload.js', 'text/javascript; charset=utf-8', uploadScript),
    };
  }

  /** By file name; the hash in a path only tells browsers apart. */
  find(file: string): Asset | undefined {
    return this.#assets.get(file);
  }

  #add(file: string, type: string, text: string): string {
    const bytes = new Uint8Array(utf8(text));
    const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
    const packed = new Uint8Array(gzipSync(bytes, { level: 9 }));
    this.#assets.set(file, { file, type, bytes, packed, hash });
    return hrefTo('assets', { hash, file });
  }
}

export interface AssetRequest {
  /** Of the path. */
  readonly hash: string;
  readonly ifNoneMatch: string | null;
  readonly acceptEncoding: string | null;
}

/** A page of an older version may ask with its own hash: it gets the file, but may not keep it. */
export function assetResponse(asset: Asset, request: AssetRequest): Response {
  const isPacked = takesGzip(request.acceptEncoding ?? '');
  // Other bytes, and so another tag (RFC 9110, 8.8.3).
  const etag = isPacked ? `"${asset.hash}-gzip"` : `"${asset.hash}"`;
  const headers = {
    'content-type': asset.type,
    ...{ etag, vary: 'accept-encoding' },
    'cache-control':
      request.hash === asset.hash ? 'public, max-age=31536000, immutable' : 'no-cache',
    ...(isPacked ? { 'content-encoding': 'gzip' } : {}),
  };
  const known = request.ifNoneMatch
    ?.split(',')
    .some((one) => one.trim().replace(/^W\//, '') === etag);
  if (known === true) return new Response(null, { status: 304, headers });
  return new Response(isPacked ? asset.packed : asset.bytes, { headers });
}
