// For tests: pictures of each kind that a cover may be, with words in them that must not be given on.

import { crc32 } from 'node:zlib';

/** Stands in the metadata of all of them. */
export const SECRET = 'taken at 52.3702 4.8952';

function segment(marker: number, data: Buffer): Buffer {
  const head = Buffer.from([0xff, marker, 0, 0]);
  head.writeUInt16BE(data.length + 2, 2);
  return Buffer.concat([head, data]);
}

/** Two scans, a restart in the first, words in every place that may have some, and more behind the end. */
export function jpeg(width: number, height: number): Buffer {
  const frame = Buffer.from([8, 0, 0, 0, 0, 1, 1, 0x11, 0]);
  frame.writeUInt16BE(height, 1);
  frame.writeUInt16BE(width, 3);
  const scan = segment(0xda, Buffer.from([1, 1, 0, 0, 63, 0]));
  return Buffer.concat([
    Buffer.from([0xff, 0xd8]),
    segment(0xe0, Buffer.from('JFIF\0\x01\x02\0\0\x01\0\x01\0\0', 'latin1')),
    segment(0xe1, Buffer.from(`Exif\0\0${SECRET}`)),
    segment(0xed, Buffer.from(`Photoshop 3.0\0${SECRET}`)),
    segment(0xfe, Buffer.from(SECRET)),
    segment(0xc0, frame),
    scan,
    Buffer.from([1, 2, 0xff, 0, 3, 0xff, 0xd0, 4]),
    segment(0xfe, Buffer.from(SECRET)),
    scan,
    Buffer.from([5, 6]),
    Buffer.from([0xff, 0xd9]),
    Buffer.from(SECRET),
  ]);
}

function pngChunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const chunk = Buffer.alloc(body.length + 8);
  chunk.writeUInt32BE(data.length);
  body.copy(chunk, 4);
  chunk.writeUInt32BE(crc32(body), body.length + 4);
  return chunk;
}

export function png(width: number, height: number): Buffer {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2], 8);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    pngChunk('IHDR', head),
    pngChunk('tEXt', Buffer.from(`Comment\0${SECRET}`)),
    pngChunk('eXIf', Buffer.from(SECRET)),
    pngChunk('IDAT', Buffer.from('x\x9cc\0\0\0\x01\0\x01', 'latin1')),
    pngChunk('IEND', Buffer.alloc(0)),
    Buffer.from(SECRET),
  ]);
}

function riffChunk(type: string, data: Buffer): Buffer {
  const chunk = Buffer.alloc(8 + data.length + (data.length % 2));
  chunk.write(type, 'latin1');
  chunk.writeUInt32LE(data.length, 4);
  data.copy(chunk, 8);
  return chunk;
}

function riff(...chunks: readonly Buffer[]): Buffer {
  const body = Buffer.concat([Buffer.from('WEBP'), ...chunks]);
  const head = Buffer.from('RIFF\0\0\0\0', 'latin1');
  head.writeUInt32LE(body.length, 4);
  return Buffer.concat([head, body]);
}

export function webp(width: number, height: number, kind: 'VP8 ' | 'VP8L' | 'VP8X'): Buffer {
  const lossy = Buffer.alloc(20);
  lossy.set([0, 0, 0, 0x9d, 0x01, 0x2a]);
  lossy.writeUInt16LE(width, 6);
  lossy.writeUInt16LE(height, 8);
  const lossless = Buffer.alloc(20);
  lossless[0] = 0x2f;
  lossless.writeUInt32LE((width - 1) | ((height - 1) << 14), 1);
  if (kind === 'VP8 ') return riff(riffChunk(kind, lossy));
  if (kind === 'VP8L') return riff(riffChunk(kind, lossless));
  const extended = Buffer.alloc(10);
  extended[0] = 0x2c;
  extended.writeUIntLE(width - 1, 4, 3);
  extended.writeUIntLE(height - 1, 7, 3);
  return riff(
    riffChunk('VP8X', extended),
    riffChunk('VP8 ', lossy),
    riffChunk('EXIF', Buffer.from(SECRET)),
    riffChunk('XMP ', Buffer.from(SECRET)),
  );
}

function box(type: string, ...data: readonly Buffer[]): Buffer {
  const body = Buffer.concat(data);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(body.length + 8);
  head.write(type, 4, 'latin1');
  return Buffer.concat([head, body]);
}

/** Of two tiles side by side: the size of the whole is the larger one. */
export function avif(width: number, height: number): Buffer {
  const size = (wide: number): Buffer => {
    const full = Buffer.alloc(12);
    full.writeUInt32BE(wide, 4);
    full.writeUInt32BE(height, 8);
    return box('ispe', full);
  };
  const properties = box('ipco', size(Math.ceil(width / 2)), size(width));
  return Buffer.concat([
    box('ftyp', Buffer.from('mif1\0\0\0\0avifmiaf', 'latin1')),
    box('meta', Buffer.alloc(4), box('iprp', properties)),
    box('mdat', Buffer.from(SECRET)),
  ]);
}
