// What the first bytes of a picture say: its kind by its magic numbers and its size in pixels, before
// anything decodes it. JPEG, PNG, WebP (RIFF) and AVIF (ISO 14496-12, HEIF); nothing else is a cover. Pure.

import { imageSize } from '#site/previews/image-head.ts';

export type CoverType = 'image/jpeg' | 'image/png' | 'image/webp' | 'image/avif';

export interface CoverHead {
  readonly type: CoverType;
  readonly width: number;
  readonly height: number;
}

const BOXES_MAX = 1000;

/** Undefined for all else, and for one whose size cannot be said. */
export function coverHead(bytes: Uint8Array): CoverHead | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const simple = imageSize(bytes);
  const { type, width, height } = simple ?? {};
  if (simple !== undefined && type !== 'image/gif') return bounded(type, width, height);
  const riff = view.toString('latin1', 0, 4) === 'RIFF' && view.toString('latin1', 8, 12);
  if (riff === 'WEBP') return webpHead(view);
  return view.toString('latin1', 4, 8) === 'ftyp' ? avifHead(view) : undefined;
}

function bounded(type?: CoverType, width = 0, height = 0): CoverHead | undefined {
  return type === undefined || width < 1 || height < 1 ? undefined : { type, width, height };
}

/** The first chunk says it: VP8X of the extended format, else the one of the picture itself. */
function webpHead(view: Buffer): CoverHead | undefined {
  if (view.length < 30) return undefined;
  const chunk = view.toString('latin1', 12, 16);
  if (chunk === 'VP8X') {
    return bounded('image/webp', view.readUIntLE(24, 3) + 1, view.readUIntLE(27, 3) + 1);
  }
  if (chunk === 'VP8L' && view[20] === 0x2f) {
    const packed = view.readUInt32LE(21);
    return bounded('image/webp', (packed & 0x3fff) + 1, ((packed >>> 14) & 0x3fff) + 1);
  }
  if (chunk === 'VP8 ' && view.readUIntBE(23, 3) === 0x9d012a) {
    return bounded('image/webp', view.readUInt16LE(26) & 0x3fff, view.readUInt16LE(28) & 0x3fff);
  }
  return undefined;
}

/** The largest of the sizes of its items: of a picture made of tiles that is the whole. */
function avifHead(view: Buffer): CoverHead | undefined {
  const start = boxesIn(view, 0, view.length);
  const ftyp = start.find(({ type }) => type === 'ftyp');
  const brands = ftyp === undefined ? '' : view.toString('latin1', ftyp.from, ftyp.end);
  if (!/^(....)*?avi[fs]/s.test(brands)) return undefined;
  const meta = start.find(({ type }) => type === 'meta');
  // A full box: version and flags stand before what is in it.
  const inMeta = meta === undefined ? [] : boxesIn(view, meta.from + 4, meta.end);
  const iprp = inMeta.find(({ type }) => type === 'iprp');
  const inIprp = iprp === undefined ? [] : boxesIn(view, iprp.from, iprp.end);
  const ipco = inIprp.find(({ type }) => type === 'ipco');
  const properties = ipco === undefined ? [] : boxesIn(view, ipco.from, ipco.end);
  let [width, height] = [0, 0];
  for (const { type, from, end } of properties) {
    if (type !== 'ispe' || end - from < 12) continue;
    width = Math.max(width, view.readUInt32BE(from + 4));
    height = Math.max(height, view.readUInt32BE(from + 8));
  }
  return bounded('image/avif', width, height);
}

interface Box {
  readonly type: string;
  /** Of what is in it. */
  readonly from: number;
  readonly end: number;
}

function boxesIn(view: Buffer, from: number, end: number): readonly Box[] {
  const boxes: Box[] = [];
  for (let at = from; at + 8 <= end && boxes.length < BOXES_MAX; ) {
    const bytes = view.readUInt32BE(at);
    // One of 64 bits, or to the end, comes behind all that matters here.
    if (bytes < 8 || at + bytes > end) break;
    boxes.push({ type: view.toString('latin1', at + 4, at + 8), from: at + 8, end: at + bytes });
    at += bytes;
  }
  return boxes;
}
