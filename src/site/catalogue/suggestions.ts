// What the upload page proposes from the names of the files, for the uploader to change.

import type { Metainfo } from '#wire/metainfo.ts';

export interface Suggestions {
  /** Slug. */
  readonly category: string;
  readonly tags: readonly string[];
}

const CATEGORY_ENDINGS: Readonly<Record<string, readonly string[]>> = {
  datasets:
    'csv tsv json jsonl parquet h5 hdf5 nc fits las laz npy npz sqlite db arrow geojson shp grib sav'.split(
      ' ',
    ),
  software: 'iso img exe msi deb rpm appimage dmg apk jar whl qcow2 vdi'.split(' '),
  video: 'mkv mp4 avi mov webm m4v mpg mpeg ts vob ogv'.split(' '),
  audio: 'flac mp3 ogg opus wav m4a aac ape alac aiff mid'.split(' '),
  books: 'pdf epub mobi azw3 djvu cbz cbr fb2'.split(' '),
  images: 'jpg jpeg png tif tiff gif webp svg raw cr2 nef dng psd avif jxl'.split(' '),
};

const PROGRAMS = /\.(exe|msi|scr|bat|cmd|com|ps1|vbs|lnk|jar|apk|app|sh)$/i;
const TAG_SHARE_MIN = 0.2;
const TAGS_MAX = 3;

/** Category and tags by the endings that most bytes have. */
export function suggest(metainfo: Metainfo): Suggestions {
  const bytesByEnding = new Map<string, number>();
  for (const file of metainfo.files) {
    const ending = /\.([a-z0-9]{1,8})$/i.exec(file.path.at(-1) ?? '')?.[1]?.toLowerCase();
    if (file.pad || ending === undefined) continue;
    bytesByEnding.set(ending, (bytesByEnding.get(ending) ?? 0) + file.sizeBytes);
  }
  let category = 'other';
  let most = 0;
  for (const [slug, endings] of Object.entries(CATEGORY_ENDINGS)) {
    const sum = endings.reduce((bytes, ending) => bytes + (bytesByEnding.get(ending) ?? 0), 0);
    if (sum > most) {
      most = sum;
      category = slug;
    }
  }
  const known = new Set(CATEGORY_ENDINGS[category] ?? []);
  const tags = [...bytesByEnding]
    .filter(([ending, bytes]) => known.has(ending) && bytes >= metainfo.sizeBytes * TAG_SHARE_MIN)
    .sort(([, a], [, b]) => b - a)
    .slice(0, TAGS_MAX)
    .map(([ending]) => ending);
  return { category, tags };
}

/** What the uploader should know before saving, besides the changed hash: sentences. */
export function uploadWarnings(
  metainfo: Metainfo,
  dropped: { readonly trackers: boolean; readonly webSeeds: boolean },
): readonly string[] {
  const warnings: string[] = [];
  const programs = metainfo.files.filter((file) => PROGRAMS.test(file.path.at(-1) ?? ''));
  if (programs.length > 0) {
    const name = programs[0]?.path.at(-1) ?? '';
    const more = programs.length === 1 ? '' : ` and ${programs.length - 1} more`;
    warnings.push(
      `It contains programs (${name}${more}). Say in the description where they are from.`,
    );
  }
  const pieces = Math.ceil(metainfo.sizeBytes / metainfo.pieceLength);
  if (pieces > 20_000) {
    warnings.push(
      `It has ${pieces} pieces. Larger pieces make a smaller file and cost clients less memory; about 2,000 pieces are usual.`,
    );
  }
  if (dropped.trackers) {
    warnings.push('The trackers named in the file are left out; each member gets this site’s own.');
  }
  if (dropped.webSeeds) {
    warnings.push('The web seeds named in the file are left out.');
  }
  return warnings;
}
