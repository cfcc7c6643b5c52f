// Who and what the demo shows: a small society that shares data, recordings, books and software. Names
// and works are invented; the files are generated.

import type { Role } from '#site/permissions.ts';
import type { ContentPlan } from './generated-content.ts';

export interface DemoMember {
  readonly name: string;
  readonly role: Role;
  readonly joinedDaysAgo: number;
  readonly peerIdPrefix: string;
  readonly uploadKibPerSecond: number;
}

export interface DemoTorrent extends ContentPlan {
  readonly title: string;
  readonly category: string;
  readonly tags: readonly string[];
  readonly description: string;
  readonly uploader: string;
  readonly addedHoursAgo: number;
  /** Members who have it when the demo starts. */
  readonly seeders: readonly string[];
  /** Members who begin to download it. */
  readonly leechers: readonly string[];
}

export const DEMO_SITE_NAME = 'Riverbank Society';
export const DEMO_ADMIN = 'ada';
export const DEMO_MEMBER = 'ben';

export const DEMO_MEMBERS: readonly DemoMember[] = [
  {
    name: 'ada',
    role: 'admin',
    joinedDaysAgo: 420,
    peerIdPrefix: '-TR4050-',
    uploadKibPerSecond: 320,
  },
  {
    name: 'ben',
    role: 'member',
    joinedDaysAgo: 390,
    peerIdPrefix: '-qB4650-',
    uploadKibPerSecond: 120,
  },
  {
    name: 'chiara',
    role: 'member',
    joinedDaysAgo: 351,
    peerIdPrefix: '-TR4060-',
    uploadKibPerSecond: 240,
  },
  {
    name: 'dmitri',
    role: 'member',
    joinedDaysAgo: 300,
    peerIdPrefix: '-DE2110-',
    uploadKibPerSecond: 180,
  },
  {
    name: 'esra',
    role: 'admin',
    joinedDaysAgo: 288,
    peerIdPrefix: '-qB5010-',
    uploadKibPerSecond: 280,
  },
  {
    name: 'farid',
    role: 'member',
    joinedDaysAgo: 201,
    peerIdPrefix: '-LT2090-',
    uploadKibPerSecond: 80,
  },
  {
    name: 'greta',
    role: 'member',
    joinedDaysAgo: 164,
    peerIdPrefix: '-TR3000-',
    uploadKibPerSecond: 140,
  },
  {
    name: 'hugo',
    role: 'member',
    joinedDaysAgo: 96,
    peerIdPrefix: '-lt0D80-',
    uploadKibPerSecond: 220,
  },
  {
    name: 'ines',
    role: 'member',
    joinedDaysAgo: 61,
    peerIdPrefix: '-qB4650-',
    uploadKibPerSecond: 60,
  },
  {
    name: 'jun',
    role: 'member',
    joinedDaysAgo: 33,
    peerIdPrefix: '-KT5210-',
    uploadKibPerSecond: 100,
  },
  {
    name: 'kofi',
    role: 'member',
    joinedDaysAgo: 12,
    peerIdPrefix: '-BI3600-',
    uploadKibPerSecond: 160,
  },
  {
    name: 'lena',
    role: 'member',
    joinedDaysAgo: 3,
    peerIdPrefix: '-TR4060-',
    uploadKibPerSecond: 150,
  },
];

const MIB = 1024 * 1024;

/** `count` files of about `mib` MiB together: `track 01.flac`, `track 02.flac`, … */
function series(
  prefix: string,
  ending: string,
  count: number,
  mib: number,
): Record<string, number> {
  const each = Math.floor((mib * MIB) / count);
  return Object.fromEntries(
    Array.from({ length: count }, (_, at) => [
      `${prefix} ${String(at + 1).padStart(2, '0')}.${ending}`,
      each + ((at * 7919) % 40_000),
    ]),
  );
}

/** The oldest first: they are added in this order. */
export const DEMO_TORRENTS: readonly DemoTorrent[] = [
  {
    title: 'River levels of the lower valley, 1951–2025',
    name: 'river-levels-1951-2025',
    category: 'datasets',
    tags: ['csv', 'hydrology', 'time-series'],
    description:
      'Daily gauge readings of **nine stations**, checked by hand against the paper logs.\n\n## Columns\n\n- `station`: code, see `stations.csv`\n- `date`: ISO 8601\n- `level_cm`: above the local zero\n- `quality`: 0 measured, 1 interpolated, 2 doubtful\n\nLicence: CC BY 4.0. Please name the society when you publish.',
    version: 'hybrid',
    files: { 'README.md': 6_200, 'stations.csv': 2_900, ...series('data/levels', 'csv', 9, 7) },
    uploader: 'ada',
    addedHoursAgo: 9000,
    seeders: ['ada', 'chiara', 'esra', 'hugo'],
    leechers: ['ines', 'lena'],
  },
  {
    title: 'Letters from the lock keeper’s house (scans)',
    name: 'lock-keeper-letters',
    category: 'books',
    tags: ['history', 'letters', 'pdf', 'scans'],
    description:
      '212 letters, 1871 to 1889, scanned at 300 dpi, with a transcription of the first forty.\n\n> The water came to the second step today.',
    version: 'v1',
    files: { ...series('scans/box', 'pdf', 6, 11), 'transcription.epub': 420_000 },
    uploader: 'chiara',
    addedHoursAgo: 7600,
    seeders: ['chiara', 'dmitri'],
    leechers: ['ben', 'kofi'],
  },
  {
    title: 'Dawn chorus at the reed beds',
    name: 'dawn-chorus-reed-beds',
    category: 'audio',
    tags: ['birds', 'field-recording', 'flac'],
    description:
      'Four mornings in May, two microphones, no cuts. Notes on species and wind are in `notes.txt`.',
    version: 'v1',
    files: { ...series('morning', 'flac', 4, 16), 'notes.txt': 3_100 },
    uploader: 'greta',
    addedHoursAgo: 5200,
    seeders: ['greta', 'ada'],
    leechers: ['ben', 'farid', 'jun'],
  },
  {
    title: 'Bridge inspection drone survey',
    name: 'bridge-survey',
    category: 'datasets',
    tags: ['drone', 'laz', 'point-cloud'],
    description:
      'Point cloud of the old railway bridge, 2 cm spacing, in two tiles, with control points.',
    version: 'hybrid',
    files: {
      'tile-north.laz': 9 * MIB + 311,
      'tile-south.laz': 8 * MIB + 77,
      'control.csv': 1_900,
    },
    uploader: 'dmitri',
    addedHoursAgo: 4100,
    seeders: ['dmitri'],
    leechers: ['esra', 'hugo'],
  },
  {
    title: 'Society live system 3.2',
    name: 'riverbank-live-3.2.iso',
    category: 'software',
    tags: ['iso', 'live-system'],
    description:
      'What runs on the laptops in the reading room. Write it to a stick:\n\n```sh\ndd if=riverbank-live-3.2.iso of=/dev/sdX bs=4M\n```',
    version: 'v1',
    files: { 'riverbank-live-3.2.iso': 19 * MIB },
    uploader: 'esra',
    addedHoursAgo: 3300,
    seeders: ['esra', 'ada', 'hugo'],
    leechers: ['greta', 'jun', 'kofi', 'ines'],
  },
  {
    title: 'Botany evenings, lectures 1–8',
    name: 'botany-evenings',
    category: 'video',
    tags: ['botany', 'lectures', 'webm'],
    description:
      'Recorded in the winter term. Slides are included.\n\n1. Mosses\n2. Ferns\n3. Grasses, and why they are hard\n4. *continued*',
    version: 'v1',
    files: { ...series('lecture', 'webm', 8, 18), 'slides.pdf': 1_400_000 },
    uploader: 'hugo',
    addedHoursAgo: 2500,
    seeders: ['hugo', 'chiara'],
    leechers: ['ada', 'farid', 'lena'],
  },
  {
    title: 'Town maps 1790–1910, georeferenced',
    name: 'town-maps',
    category: 'images',
    tags: ['geotiff', 'history', 'maps'],
    description: 'Eleven sheets as GeoTIFF in the national grid. Sheet 7 is torn at the fold.',
    version: 'hybrid',
    files: series('sheet', 'tif', 11, 14),
    uploader: 'ben',
    addedHoursAgo: 1900,
    seeders: ['ben', 'greta'],
    leechers: ['chiara', 'kofi'],
  },
  {
    title: 'Oral history: the flood of ’62',
    name: 'oral-history-flood',
    category: 'audio',
    tags: ['history', 'interviews', 'opus'],
    description: 'Nine interviews with people who were there. Names are given with their consent.',
    version: 'v1',
    files: { ...series('interview', 'opus', 9, 8), 'consent and index.pdf': 210_000 },
    uploader: 'farid',
    addedHoursAgo: 1250,
    seeders: ['farid', 'ada', 'esra'],
    leechers: ['dmitri', 'greta'],
  },
  {
    title: 'Amateur weather stations, raw feed 2025',
    name: 'weather-raw-2025',
    category: 'datasets',
    tags: ['jsonl', 'time-series', 'weather'],
    description: 'One file a month, as received. See the issue list before you trust station 14.',
    version: 'v1',
    files: series('2025', 'jsonl', 12, 10),
    uploader: 'jun',
    addedHoursAgo: 700,
    seeders: ['jun'],
    leechers: ['ada', 'ben', 'hugo'],
  },
  {
    title: 'The miller’s account books',
    name: 'miller-account-books',
    category: 'books',
    tags: ['djvu', 'history', 'scans'],
    description:
      'Three volumes. Nobody has had all of this for a while; **if you still hold it, please seed.**',
    version: 'v1',
    files: series('volume', 'djvu', 3, 9),
    uploader: 'dmitri',
    addedHoursAgo: 610,
    seeders: [],
    leechers: [],
  },
  {
    title: 'Handbook for new members',
    name: 'handbook.epub',
    category: 'books',
    tags: ['epub', 'society'],
    description: 'How we share, how the ratio works, whom to ask. Start here.',
    version: 'v1',
    files: { 'handbook.epub': 1_300_000 },
    uploader: 'ada',
    addedHoursAgo: 420,
    seeders: ['ada', 'ben', 'chiara', 'dmitri', 'esra', 'greta', 'hugo'],
    leechers: ['lena'],
  },
  {
    title: 'Time lapse: building the fish ladder',
    name: 'fish-ladder-timelapse',
    category: 'video',
    tags: ['mp4', 'time-lapse'],
    description:
      'Fourteen months in six minutes, and the still frames for those who want to cut their own.',
    version: 'hybrid',
    files: { 'fish ladder.mp4': 12 * MIB + 5, ...series('frames/day', 'jpg', 30, 5) },
    uploader: 'kofi',
    addedHoursAgo: 160,
    seeders: ['kofi'],
    leechers: ['ada', 'ben', 'chiara', 'esra'],
  },
  {
    title: 'Sediment cores, images and measurements',
    name: 'sediment-cores',
    category: 'datasets',
    tags: ['csv', 'geology', 'png'],
    description:
      'Twelve cores from the oxbow lake. The measurements follow the protocol in `protocol.pdf`.',
    version: 'hybrid',
    files: {
      'protocol.pdf': 600_000,
      'measurements.csv': 310_000,
      ...series('cores/core', 'png', 12, 13),
    },
    uploader: 'greta',
    addedHoursAgo: 55,
    seeders: ['greta'],
    leechers: ['dmitri', 'farid', 'hugo', 'ines'],
  },
  {
    title: 'Folk songs of the valley, new recordings',
    name: 'folk-songs',
    category: 'audio',
    tags: ['flac', 'music'],
    description: 'Sung in the chapel in one take each. Scores are in the folder `scores`.',
    version: 'v1',
    files: { ...series('song', 'flac', 10, 17), ...series('scores/song', 'pdf', 10, 1) },
    uploader: 'ines',
    addedHoursAgo: 20,
    seeders: ['ines'],
    leechers: ['ada', 'chiara', 'jun', 'kofi', 'greta'],
  },
  {
    title: 'Open bat detector firmware',
    name: 'bat-detector-firmware',
    category: 'software',
    tags: ['firmware', 'source'],
    description:
      'Source and builds. Needs board revision C.\n\n- `firmware.bin`: flash this\n- `source.tar.gz`: change this',
    version: 'v1',
    files: { 'firmware.bin': 700_000, 'source.tar.gz': 2_600_000, 'LICENSE.txt': 11_000 },
    uploader: 'lena',
    addedHoursAgo: 2,
    seeders: ['lena'],
    leechers: ['hugo', 'esra'],
  },
];
