// The little of XML that WebDAV's requests need: elements with their namespaces, well-formed or refused.
// No document type and no entities but the five that every document has, so that nothing expands. Pure.

/** An element's name: `{DAV:}prop`. */
export interface XmlElement {
  readonly space: string;
  readonly name: string;
  readonly children: readonly XmlElement[];
}

const DEPTH_MAX = 32;
const ELEMENTS_MAX = 2000;
const XML_SPACE = 'http://www.w3.org/XML/1998/namespace';
const XMLNS_SPACE = 'http://www.w3.org/2000/xmlns/';
const NAME = '[\\p{L}_][\\p{L}\\p{N}\\p{M}._-]*';
const TAG = new RegExp(
  `^<(?:(/)(${NAME}(?::${NAME})?)\\s*|(${NAME}(?::${NAME})?)((?:\\s+${NAME}(?::${NAME})?\\s*=\\s*(?:"[^"<]*"|'[^'<]*'))*)\\s*(/?))>`,
  'u',
);
const ATTRIBUTE = new RegExp(`(${NAME}(?::${NAME})?)\\s*=\\s*(?:"([^"<]*)"|'([^'<]*)')`, 'gu');

interface Open {
  readonly tag: string;
  readonly space: string;
  readonly name: string;
  readonly children: XmlElement[];
  readonly spaces: ReadonlyMap<string, string>;
}

/** The document's element; undefined when it is not well-formed, or has more than a request needs. */
export function parseXml(text: string): XmlElement | undefined {
  const open: Open[] = [];
  let root: XmlElement | undefined;
  let elements = 0;
  for (let at = 0; at < text.length; ) {
    const start = text.indexOf('<', at);
    const words = text.slice(at, start === -1 ? text.length : start);
    if (!isText(words, open.length > 0)) return undefined;
    if (start === -1) break;
    const skipped = skip(text, start);
    if (skipped !== undefined) {
      at = skipped;
      continue;
    }
    const tag = TAG.exec(text.slice(start, start + TAG_CHARS_MAX));
    if (tag === null || ++elements > ELEMENTS_MAX) return undefined;
    const [whole, isEnd, endName, name, attributes = '', isEmpty] = tag;
    at = start + whole.length;
    if (isEnd === undefined) {
      if (root !== undefined || open.length >= DEPTH_MAX) return undefined;
      const opened = openElement(name ?? '', attributes, open.at(-1)?.spaces ?? DEFAULT_SPACES);
      if (opened === undefined) return undefined;
      open.push(opened);
      if (isEmpty !== '/') continue;
    } else if (open.at(-1)?.tag !== endName) return undefined;
    const { space, name: local, children } = open.pop()!;
    const element = { space, name: local, children };
    const parent = open.at(-1);
    if (parent === undefined) root = element;
    else parent.children.push(element);
  }
  return open.length === 0 ? root : undefined;
}

const TAG_CHARS_MAX = 4096;
const DEFAULT_SPACES: ReadonlyMap<string, string> = new Map([
  ['', ''],
  ['xml', XML_SPACE],
]);

/** The end of a comment, a declaration or a section of characters; undefined when none stands there. */
function skip(text: string, start: number): number | undefined {
  for (const [opening, closing] of [
    ['<!--', '-->'],
    ['<![CDATA[', ']]>'],
    ['<?', '?>'],
  ] as const) {
    if (!text.startsWith(opening, start)) continue;
    const end = text.indexOf(closing, start + opening.length);
    return end === -1 ? undefined : end + closing.length;
  }
  return undefined;
}

function isText(words: string, isInside: boolean): boolean {
  if (!isInside) return /^[\s\ufeff]*$/.test(words);
  return !/&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-f]{1,6});)|\]\]>/i.test(words);
}

function openElement(
  tag: string,
  attributes: string,
  above: ReadonlyMap<string, string>,
): Open | undefined {
  const spaces = new Map(above);
  const seen = new Set<string>();
  for (const [, name = '', double, single] of attributes.matchAll(ATTRIBUTE)) {
    if (seen.has(name)) return undefined;
    seen.add(name);
    const value = double ?? single ?? '';
    if (!isText(value, true)) return undefined;
    if (name === 'xmlns') spaces.set('', value);
    else if (name.startsWith('xmlns:')) {
      // A prefix cannot be taken back, and the two reserved ones cannot be others.
      const prefix = name.slice('xmlns:'.length);
      if (value === '' || prefix === 'xmlns' || value === XMLNS_SPACE) return undefined;
      if ((prefix === 'xml') !== (value === XML_SPACE)) return undefined;
      spaces.set(prefix, value);
    }
  }
  const isKnown = (name: string): boolean => !name.includes(':') || spaces.has(prefixOf(name));
  for (const name of seen) if (!name.startsWith('xmlns:') && !isKnown(name)) return undefined;
  if (!isKnown(tag)) return undefined;
  const space = spaces.get(prefixOf(tag)) ?? '';
  return { tag, space, name: tag.slice(tag.indexOf(':') + 1), children: [], spaces };
}

function prefixOf(name: string): string {
  return name.includes(':') ? name.slice(0, name.indexOf(':')) : '';
}

/** For text and attributes. Control characters, which XML cannot say, become U+FFFD. */
export function xmlText(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/[^\P{Cc}\t\n]|[\ufffe\uffff]/gu, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
