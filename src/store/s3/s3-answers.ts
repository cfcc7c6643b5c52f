// Reads what an S3 service answers in XML: a page of a listing, and an error. Only the few elements that
// are needed are looked at; what is not whole or not in order is told by undefined, never guessed at.

export interface S3Object {
  readonly key: string;
  readonly bytes: number;
}

export interface S3Page {
  readonly objects: readonly S3Object[];
  readonly isTruncated: boolean;
  /** Where the next page begins; undefined at the end, and with services that do not tell. */
  readonly token: string | undefined;
}

/** The service's own words, cut to what fits into a line of a log. */
export interface S3Failure {
  /** Empty when it told none, as in every answer to a HEAD. */
  readonly code: string;
  readonly message: string;
  /** The region that it would have expected. */
  readonly region: string | undefined;
}

const WORDS_CHARS_MAX = 300;

/** A page of ListObjectsV2 that was asked for with `encoding-type=url`. */
export function readS3Page(body: Uint8Array): S3Page | undefined {
  const text = new TextDecoder().decode(body);
  if (!/<ListBucketResult[\s>]/.test(text) || !text.trimEnd().endsWith('</ListBucketResult>')) {
    return undefined;
  }
  const isEncoded = text.includes('<EncodingType>url</EncodingType>');
  const objects: S3Object[] = [];
  let outside = '';
  for (let at = 0; at < text.length; ) {
    const start = text.indexOf('<Contents>', at);
    outside += text.slice(at, start < 0 ? undefined : start);
    if (start < 0) break;
    const end = text.indexOf('</Contents>', start);
    const object = end < 0 ? undefined : readObject(text.slice(start, end), isEncoded);
    if (object === undefined) return undefined;
    objects.push(object);
    at = end + '</Contents>'.length;
  }
  const truncated = element(outside, 'IsTruncated');
  if (truncated !== 'true' && truncated !== 'false') return undefined;
  return {
    objects,
    isTruncated: truncated === 'true',
    token: element(outside, 'NextContinuationToken'),
  };
}

function readObject(xml: string, isEncoded: boolean): S3Object | undefined {
  const size = element(xml, 'Size');
  const name = element(xml, 'Key');
  const key = name === undefined || !isEncoded ? name : percentDecoded(name);
  if (key === undefined || size === undefined || !/^[0-9]{1,15}$/.test(size)) return undefined;
  return { key, bytes: Number(size) };
}

export function readS3Failure(body: Uint8Array): S3Failure {
  const text = new TextDecoder().decode(body);
  const error = text.slice(text.indexOf('<Error>'), text.indexOf('</Error>'));
  return {
    code: plainWords(element(error, 'Code') ?? ''),
    message: plainWords(element(error, 'Message') ?? ''),
    region: element(error, 'Region'),
  };
}

function element(xml: string, name: string): string | undefined {
  const found = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1];
  return found === undefined ? undefined : unescapeXml(found);
}

const ENTITIES: Readonly<Record<string, string>> = {
  lt: '<',
  gt: '>',
  amp: '&',
  quot: '"',
  apos: "'",
};

function unescapeXml(text: string): string {
  return text.replace(
    /&(?:#x([0-9a-f]{1,6})|#([0-9]{1,7})|([a-z]+));/gi,
    (whole, hex, ten, name) => {
      const point = hex !== undefined ? Number.parseInt(hex, 16) : Number(ten);
      if (name !== undefined) return ENTITIES[name] ?? whole;
      return point <= 0x10_ffff ? String.fromCodePoint(point) : whole;
    },
  );
}

/** As in a form: a plus is a space. */
function percentDecoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

/** What a stranger says must not break the lines of a log. */
function plainWords(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim()
    .slice(0, WORDS_CHARS_MAX);
}
