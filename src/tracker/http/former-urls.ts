// Names by which the tracker was reached once (T28). They go on working; who announces by one of them
// over HTTP or WebSocket is told the new one in a `warning message`. Which name it was stands in the
// Host header. UDP tells no name and has no place for a warning.

import { utf8 } from '#base/bytes.ts';
import type { TrackerConfig } from '#tracker/config.ts';
import type { ByteSpan } from '#wire/http-request.ts';

const SEPARATOR = utf8('; ');

export class FormerUrls {
  /** `tracker.example.org:6969`, in lower case. */
  readonly #hosts: ReadonlySet<string>;
  readonly #warning: Uint8Array;

  private constructor(formerUrls: readonly string[], now: string) {
    this.#hosts = new Set(formerUrls.flatMap((url) => hostsOf(url)));
    const next =
      now === ''
        ? 'download this torrent again from the site, or see your profile there'
        : `change it to ${now} in your client, or download this torrent again`;
    this.#warning = utf8(`this announce URL is an old one: ${next}`);
  }

  /** Undefined when there are none. */
  static of(config: Pick<TrackerConfig, 'formerUrls' | 'publicUrls'>): FormerUrls | undefined {
    const { formerUrls, publicUrls } = config;
    return formerUrls.length === 0 ? undefined : new FormerUrls(formerUrls, publicUrls.http);
  }

  /** `host` is the value of the Host header in `bytes`. */
  has(bytes: Uint8Array, host: ByteSpan): boolean {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + host.at, host.length);
    return this.#hosts.has(
      text
        .toString('latin1')
        .toLowerCase()
        .replace(/\.(?=:|$)/, ''),
    );
  }

  /** The words, behind those of another warning where there is one. */
  joined(warning: Uint8Array): Uint8Array {
    if (warning.byteLength === 0) return this.#warning;
    return Buffer.concat([warning, SEPARATOR, this.#warning]);
  }
}

/** The scheme's own port may be left out of a Host header, or stand in it. */
function hostsOf(url: string): readonly string[] {
  const { hostname, port, protocol } = new URL(url.replace(/^ws/, 'http'));
  if (port !== '') return [`${hostname}:${port}`];
  return [hostname, `${hostname}:${protocol === 'https:' ? 443 : 80}`];
}
