// What the first bytes of a file say it is: nothing is believed because of a name. Pure.

export type MediaKind = 'image' | 'media';

/** Of files worth looking into, by the ending of their names. */
const ENDINGS = new Set(
  'jpg jpeg png gif webp mp4 m4v mov mkv webm avi mp3 m4a flac ogg opus'.split(' '),
);

export function mayHavePreview(name: string): boolean {
  const end = name.lastIndexOf('.');
  return end > 0 && ENDINGS.has(name.slice(end + 1).toLowerCase());
}

/** Undefined for everything that is not known for sure. */
export function mediaKind(head: Uint8Array): MediaKind | undefined {
  const text = Buffer.from(head.subarray(0, 16)).toString('latin1');
  if (imageSize(head) !== undefined) return 'image';
  if (text.startsWith('RIFF') && text.slice(8, 12) === 'WEBP') return 'image';
  if (text.startsWith('RIFF') && text.slice(8, 12) === 'AVI ') return 'media';
  if (text.slice(4, 8) === 'ftyp' || text.startsWith('\x1a\x45\xdf\xa3')) return 'media';
  if (text.startsWith('ID3') || text.startsWith('fLaC') || text.startsWith('OggS')) return 'media';
  return undefined;
}

export interface ImageSize {
  readonly type: 'image/png' | 'image/gif' | 'image/jpeg';
  readonly width: number;
  readonly height: number;
}

/** Of a PNG, GIF or JPEG whose head is complete; undefined for all else. */
export function imageSize(bytes: Uint8Array): ImageSize | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.length >= 24 && view.toString('latin1', 0, 8) === '\x89PNG\r\n\x1a\n') {
    return { type: 'image/png', width: view.readUInt32BE(16), height: view.readUInt32BE(20) };
  }
  if (view.length >= 10 && /^GIF8[79]a/.test(view.toString('latin1', 0, 6))) {
    return { type: 'image/gif', width: view.readUInt16LE(6), height: view.readUInt16LE(8) };
  }
  return view.length >= 4 && view.readUInt16BE(0) === 0xffd8 ? jpegSize(view) : undefined;
}

/** Walks the markers of a JPEG to that of its frame. */
function jpegSize(view: Buffer): ImageSize | undefined {
  for (let at = 2; at + 9 <= view.length; ) {
    if (view[at] !== 0xff) return undefined;
    const marker = view[at + 1] ?? 0;
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    // SOF0 to SOF15, without the tables DHT, JPG and DAC that lie between them.
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) {
      return {
        type: 'image/jpeg',
        width: view.readUInt16BE(at + 7),
        height: view.readUInt16BE(at + 5),
      };
    }
    at += 2 + view.readUInt16BE(at + 2);
  }
  return undefined;
}
