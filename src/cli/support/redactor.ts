// Takes out of a text what must not leave the machine. Everything that goes into a support bundle goes
// through here, whatever it was made of: a log line may quote a URL, an error a password, a label a
// name. What is cut is cut without asking whether it really was a secret; a bundle that tells too little
// can be made again, one that told too much cannot be taken back.
//
//   [secret]   a secret that this server is known to have, in any writing
//   [cut]      what looks like one: userinfo, paths and queries of URLs, keys before /announce, long
//              words of letters and figures, what follows `password=`, quoted words that are not known
//   [address]  addresses of the network; loopback stays, and so does "all addresses"
//   [host]     the host of a URL
//   [mail]     addresses of mail

import { isIP } from 'node:net';

export interface Redaction {
  /** Secrets as they are known: each is cut wherever it stands. Short ones are left out. */
  readonly secrets: readonly string[];
  /** Words that may stand in quotes: topics, jobs, settings. */
  readonly known: readonly string[];
  /** Paths below it may stand in quotes. */
  readonly dataPath: string;
  /** Leaves addresses and hosts as they are. */
  readonly showsAddresses: boolean;
}

const SECRET_CHARS_MIN = 6;
/** On average, within a name as programs have them: `processTicksAndRejections`. */
const WORD_CHARS_MIN = 4;
const URL_PATTERN = /\b([a-z][a-z0-9+.-]{1,20}):\/\/([^\s"'<>,;]*)/gi;
const QUERY = /\?[^\s"'<>]*=[^\s"'<>]*/g;
const ANNOUNCE = /\/[^/\s"']{1,256}\/(announce|scrape)\b/g;
const BEARER = /\b(bearer|basic|digest)\s+[^\s",;]{4,}/gi;
const NAMED =
  /\b((?:[\w-]*(?:pass(?:word|wd|key|phrase)?|token|secret|cookie|session|authorization|api-?key|private-?key))["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s",;}]+)/gi;
const MAIL = /[^\s"'<>@,;:()]+@[^\s"'<>@,;:()]+\.[a-z]{2,}/gi;
const LONG_WORD = /[A-Za-z0-9_-]{20,}/g;
const BASE64 = /[A-Za-z0-9+/]{24,}={0,2}/g;
const ADDRESS = /(?<![\w.:])(\[?)([0-9a-f:]*:[0-9a-f:.]+|\d{1,3}(?:\.\d{1,3}){3})(\]?)(?![\w])/gi;
const QUOTED = /"([^"\n]*)"/g;
const OPEN_ADDRESSES = new Set(['0.0.0.0', '::', '::1']);

export class Redactor {
  readonly #how: Redaction;
  readonly #secrets: readonly string[];
  readonly #known: ReadonlySet<string>;

  constructor(how: Redaction) {
    this.#how = how;
    this.#secrets = how.secrets
      .filter((secret) => secret.length >= SECRET_CHARS_MIN)
      .sort((a, b) => b.length - a.length);
    this.#known = new Set(how.known);
  }

  text(text: string): string {
    let rest = text;
    for (const secret of this.#secrets) rest = rest.replaceAll(secret, '[secret]');
    rest = rest
      .replace(URL_PATTERN, (_, scheme: string, place: string) => this.#url(scheme, place))
      .replace(ANNOUNCE, '/[cut]/$1')
      .replace(QUERY, '?[cut]')
      .replace(BEARER, '$1 [cut]')
      .replace(NAMED, '$1[cut]')
      .replace(MAIL, '[mail]');
    rest = rest.replace(QUOTED, (all, inner: string) => (this.#isKnown(inner) ? all : '"[cut]"'));
    if (!this.#how.showsAddresses) rest = rest.replace(ADDRESS, addressCut);
    return rest
      .replace(LONG_WORD, (word) => (looksDrawn(word) ? '[cut]' : word))
      .replace(BASE64, (word) => (/[+=]/.test(word) && looksDrawn(word) ? '[cut]' : word));
  }

  /** Every text in it, also in lists and tables; keys stay. */
  value<Value>(value: Value): Value {
    if (typeof value === 'string') return this.text(value) as Value;
    if (Array.isArray(value)) return value.map((one) => this.value(one)) as Value;
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value).map(([key, one]) => [key, this.value(one)]);
    return Object.fromEntries(entries) as Value;
  }

  /** Scheme, host and port at most: paths hold keys, and queries what people look for. */
  #url(scheme: string, place: string): string {
    if (scheme.toLowerCase() === 'file') return `${scheme}://${place}`;
    const authority = place.split(/[/?#]/, 1)[0] ?? '';
    const hostAndPort = authority.slice(authority.lastIndexOf('@') + 1);
    const [, host = '', port = ''] = /^(\[[^\]]*\]|[^:]*)(:\d+)?/.exec(hostAndPort) ?? [];
    const isShown = this.#how.showsAddresses || isLocal(host);
    const more = place.length > authority.length ? '/[cut]' : '';
    return `${scheme}://${isShown ? host : '[host]'}${port}${more}`;
  }

  #isKnown(inner: string): boolean {
    const { dataPath } = this.#how;
    return this.#known.has(inner) || inner === dataPath || inner.startsWith(`${dataPath}/`);
  }
}

function isLocal(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '');
  return bare === 'localhost' || OPEN_ADDRESSES.has(bare) || /^127(\.\d{1,3}){3}$/.test(bare);
}

function addressCut(all: string, open: string, address: string, close: string): string {
  if (isIP(address) === 0 || isLocal(address)) return all;
  return `${open}[address]${close}`;
}

/** A word nobody wrote: letters with figures, or with capitals where no word begins. */
function looksDrawn(word: string): boolean {
  const letters = word.replaceAll(/[^A-Za-z]/g, '').length;
  if (letters === 0) return false;
  if (/\d/.test(word)) return true;
  const words = word.match(/[A-Z]?[a-z]+|[A-Z]+/g)?.length ?? 1;
  return letters / words < WORD_CHARS_MIN;
}
