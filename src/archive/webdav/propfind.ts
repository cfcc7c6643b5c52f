// PROPFIND of RFC 4918: which properties are asked for, and the answer about one resource. Pure.

import { parseXml, xmlText } from './dav-xml.ts';

/** A file or a folder as WebDAV tells of it. */
export interface DavResource {
  /** From the first slash on, escaped; a folder's ends with one. */
  readonly href: string;
  readonly name: string;
  readonly isFolder: boolean;
  readonly bytes: number;
  /** With its quotes; undefined of a folder. */
  readonly etag: string | undefined;
  /** Unix milliseconds. */
  readonly changedMs: number;
}

interface PropertyName {
  readonly space: string;
  readonly name: string;
}

/** `all`: what a client gets that names none; `names`: only which there are. */
export type AskedProperties = 'all' | 'names' | readonly PropertyName[];

const DAV = 'DAV:';
const ASKED_MAX = 200;

/** Undefined when the body is none of a PROPFIND. An empty one asks for all. */
export function parsePropfind(body: string): AskedProperties | undefined {
  if (body === '') return 'all';
  const root = parseXml(body);
  if (root === undefined || root.space !== DAV || root.name !== 'propfind') return undefined;
  const asked = root.children.filter(({ space }) => space === DAV);
  const kinds = asked.filter(({ name }) => ['allprop', 'propname', 'prop'].includes(name));
  const kind = kinds[0];
  if (kind === undefined || kinds.length > 1) return undefined;
  if (kind.name === 'allprop') return 'all';
  if (kind.name === 'propname') return 'names';
  if (kind.children.length > ASKED_MAX) return undefined;
  return kind.children.map(({ space, name }) => ({ space, name }));
}

type Values = Readonly<Record<string, string>>;

/** XML of each property that the resource has. */
function valuesOf(resource: DavResource): Values {
  const { isFolder, name, bytes, etag, changedMs } = resource;
  const changed = new Date(changedMs);
  return {
    resourcetype: isFolder ? '<D:collection/>' : '',
    displayname: xmlText(name),
    creationdate: `${changed.toISOString().slice(0, 19)}Z`,
    getlastmodified: changed.toUTCString(),
    // Without entries: nothing can be locked.
    supportedlock: '',
    lockdiscovery: '',
    ...(isFolder ? {} : { getcontentlength: String(bytes) }),
    ...(isFolder ? {} : { getcontenttype: 'application/octet-stream' }),
    // Hexadecimal digits in quotes, which stand for themselves in a text: some clients read no more.
    ...(etag === undefined ? {} : { getetag: etag }),
  };
}

export const MULTISTATUS_START =
  '<?xml version="1.0" encoding="utf-8"?>\n<D:multistatus xmlns:D="DAV:">';
export const MULTISTATUS_END = '\n</D:multistatus>\n';

/** The `response` element of a resource. */
export function davResponse(resource: DavResource, asked: AskedProperties): string {
  const values = valuesOf(resource);
  const found: string[] = [];
  const missing: string[] = [];
  if (typeof asked === 'string') {
    for (const [name, value] of Object.entries(values)) {
      found.push(element(name, asked === 'names' ? '' : value));
    }
  } else {
    for (const { space, name } of asked) {
      const value = space === DAV && Object.hasOwn(values, name) ? values[name] : undefined;
      if (value !== undefined) found.push(element(name, value));
      else missing.push(`<${name} xmlns="${xmlText(space)}"/>`);
    }
  }
  const parts = [
    ...(found.length > 0 || missing.length === 0 ? [propstat(found, '200 OK')] : []),
    ...(missing.length > 0 ? [propstat(missing, '404 Not Found')] : []),
  ];
  return `\n<D:response><D:href>${xmlText(resource.href)}</D:href>${parts.join('')}</D:response>`;
}

function element(name: string, value: string): string {
  return value === '' ? `<D:${name}/>` : `<D:${name}>${value}</D:${name}>`;
}

function propstat(properties: readonly string[], status: string): string {
  return `<D:propstat><D:prop>${properties.join('')}</D:prop><D:status>HTTP/1.1 ${status}</D:status></D:propstat>`;
}

export const DEPTH_ERROR =
  '<?xml version="1.0" encoding="utf-8"?>\n<D:error xmlns:D="DAV:"><D:propfind-finite-depth/></D:error>\n';
