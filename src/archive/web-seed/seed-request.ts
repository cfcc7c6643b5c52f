// What a client asks of a web seed: the path that BEP 19 builds, and the range. Pure.
//
//   /seed/<token>/<info hash>/<name>                  a torrent of one file
//   /seed/<token>/<info hash>/<name>/<path of a file>  a torrent of several
//
// Clients append the name and the path to `url-list`; some do not escape them, so what looks like a
// query belongs to the path.

export interface SeedPath {
  readonly token: string;
  /** 40 lower-case hex digits: v1, or the truncated hash of v2. */
  readonly infoHash: string;
  /** The torrent's name first; none when the client asked for the torrent itself. */
  readonly names: readonly string[];
}

export const SEED_PREFIX = '/seed/';
export const SEED_TOKEN: RegExp = /^[0-9a-z]{1,13}-[0-9a-f]{32}$/;

const TARGET_CHARS_MAX = 8192;

/** `target` is the request's, from the first slash on. Undefined when it is none of a web seed's. */
export function parseSeedPath(target: string): SeedPath | undefined {
  if (!target.startsWith(SEED_PREFIX) || target.length > TARGET_CHARS_MAX) return undefined;
  const [token = '', hash = '', ...rest] = target.slice(SEED_PREFIX.length).split('/');
  if (!SEED_TOKEN.test(token)) return undefined;
  if (!/^[0-9a-f]{40}$/i.test(hash)) return undefined;
  const names: string[] = [];
  for (const name of rest) {
    const decoded = decode(name);
    if (decoded === undefined) return undefined;
    names.push(decoded);
  }
  if (names.at(-1) === '') names.pop();
  return { token, infoHash: hash.toLowerCase(), names };
}

/** A percent sign that begins no escape stands for itself: that client did not escape. */
function decode(name: string): string | undefined {
  try {
    return decodeURIComponent(name);
  } catch {
    return /%[0-9a-f]{2}/i.test(name) ? undefined : name;
  }
}

export interface ByteRange {
  readonly start: number;
  /** Before it. */
  readonly end: number;
}

/**
 * One range of RFC 9110 on a file of so many bytes. `whole`: there is none, or one that may be ignored
 * (another unit, several ranges, no sense). `unsatisfiable`: it begins beyond the end.
 */
export function parseRange(
  header: string | undefined,
  sizeBytes: number,
): ByteRange | 'whole' | 'unsatisfiable' {
  const match = /^bytes=\s*(\d{0,40})-(\d{0,40})\s*$/i.exec(header ?? '');
  if (match === null) return 'whole';
  const [, first = '', last = ''] = match;
  if (first === '') {
    if (last === '') return 'whole';
    const length = Math.min(Number(last), sizeBytes);
    return length === 0 ? 'unsatisfiable' : { start: sizeBytes - length, end: sizeBytes };
  }
  const start = Number(first);
  const end = last === '' ? sizeBytes : Math.min(Number(last) + 1, sizeBytes);
  if (last !== '' && Number(last) < start) return 'whole';
  return start >= sizeBytes ? 'unsatisfiable' : { start, end };
}
