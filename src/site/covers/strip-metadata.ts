// Takes out of a picture what is not the picture: where and when and by whom it was made, comments, small
// copies of itself, and whatever lies behind its end. For servers without a program that makes pictures
// anew. What is kept is named; everything else goes. Pure.

const PNG_HEAD_BYTES = 8;
const PNG_KEPT = new Set('IHDR PLTE tRNS gAMA cHRM sRGB sBIT pHYs IDAT IEND'.split(' '));
const WEBP_KEPT = new Set(['VP8X', 'VP8 ', 'VP8L', 'ALPH']);
/** Of VP8X, that there are a profile, EXIF, XMP, and more than one picture. */
const WEBP_FLAGS = 0x20 | 0x08 | 0x04 | 0x02;

const JPEG = { start: 0xd8, end: 0xd9, scan: 0xda, comment: 0xfe } as const;
const APP0 = 0xe0;
const ADOBE = 0xee;

/** Undefined when it is not whole, or is of a kind that cannot be taken apart here. */
export function strippedPicture(
  bytes: Uint8Array,
  type: 'image/jpeg' | 'image/png' | 'image/webp' | 'image/avif',
): Uint8Array | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (type) {
    case 'image/jpeg':
      return strippedJpeg(view);
    case 'image/png':
      return strippedPng(view);
    case 'image/webp':
      return strippedWebp(view);
    case 'image/avif':
      return undefined;
    default:
      return type satisfies never;
  }
}

function strippedJpeg(view: Buffer): Uint8Array | undefined {
  const kept: Buffer[] = [view.subarray(0, 2)];
  for (let at = 2; at + 2 <= view.length; ) {
    if (view[at] !== 0xff) return undefined;
    const marker = view[at + 1] ?? 0;
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    if (marker === JPEG.end) {
      kept.push(view.subarray(at, at + 2));
      return Buffer.concat(kept);
    }
    if (at + 4 > view.length) return undefined;
    let end = at + 2 + view.readUInt16BE(at + 2);
    if (marker === JPEG.scan) end = scanEnd(view, end);
    if (end > view.length) return undefined;
    if (!isJpegWords(view, marker, at)) kept.push(view.subarray(at, end));
    at = end;
  }
  return undefined;
}

/** Words about the picture: comments, and what programs put in, but for what its colours need. */
function isJpegWords(view: Buffer, marker: number, at: number): boolean {
  if (marker === JPEG.comment) return true;
  if (marker < APP0 || marker > 0xef) return false;
  const name = view.toString('latin1', at + 4, at + 9);
  return !(marker === APP0 && name === 'JFIF\0') && !(marker === ADOBE && name === 'Adobe');
}

/** Of a scan's data: in it 0xff is followed by zero or a restart marker. */
function scanEnd(view: Buffer, from: number): number {
  for (let at = view.indexOf(0xff, from); at !== -1; at = view.indexOf(0xff, at + 1)) {
    const next = view[at + 1] ?? 0;
    if (next !== 0 && next !== 0xff && !(next >= 0xd0 && next <= 0xd7)) return at;
  }
  return view.length;
}

function strippedPng(view: Buffer): Uint8Array | undefined {
  const kept: Buffer[] = [view.subarray(0, PNG_HEAD_BYTES)];
  for (let at = PNG_HEAD_BYTES; at + 12 <= view.length; ) {
    const end = at + 12 + view.readUInt32BE(at);
    if (end > view.length) return undefined;
    const type = view.toString('latin1', at + 4, at + 8);
    if (PNG_KEPT.has(type)) kept.push(view.subarray(at, end));
    if (type === 'IEND') return Buffer.concat(kept);
    at = end;
  }
  return undefined;
}

function strippedWebp(view: Buffer): Uint8Array | undefined {
  const end = Math.min(view.length, 8 + view.readUInt32LE(4));
  const kept: Buffer[] = [];
  let hasPicture = false;
  for (let at = 12; at + 8 <= end; ) {
    const type = view.toString('latin1', at, at + 4);
    const bytes = view.readUInt32LE(at + 4);
    const next = at + 8 + bytes + (bytes % 2);
    if (next > end) return undefined;
    if (WEBP_KEPT.has(type)) {
      const chunk = Buffer.from(view.subarray(at, next));
      if (type === 'VP8X') chunk[8] = (chunk[8] ?? 0) & ~WEBP_FLAGS;
      else if (type !== 'ALPH') hasPicture = true;
      kept.push(chunk);
    }
    at = next;
  }
  if (!hasPicture) return undefined;
  const body = Buffer.concat(kept);
  const head = Buffer.from('RIFF\0\0\0\0WEBP', 'latin1');
  head.writeUInt32LE(body.length + 4, 4);
  return Buffer.concat([head, body]);
}
