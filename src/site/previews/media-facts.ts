// What an image, a film or a sound is: its size, its length, how it is coded. As told by programs that
// read files of strangers, so that nothing of it is kept that is not a number or a short word. Pure.

export interface MediaFacts {
  readonly width?: number;
  readonly height?: number;
  readonly seconds?: number;
  /** How the picture is coded: `h264`; of an image, its format. */
  readonly picture?: string;
  readonly sound?: string;
  readonly channels?: number;
}

const PIXELS_MAX = 1_000_000;
const SECONDS_MAX = 1_000_000_000;

/** Of what ffprobe writes as JSON. Undefined when there is nothing in it. */
export function factsOfProbe(text: string): MediaFacts | undefined {
  const told = record(parsed(text));
  const listed = told['streams'];
  const streams = (Array.isArray(listed) ? listed : []).slice(0, 100).map(record);
  const picture = streams.find(
    (one) => one['codec_type'] === 'video' && record(one['disposition'])['attached_pic'] !== 1,
  );
  const sound = streams.find((one) => one['codec_type'] === 'audio');
  return factsOf({
    width: picture?.['width'],
    height: picture?.['height'],
    seconds: Number(record(told['format'])['duration']),
    picture: picture?.['codec_name'],
    sound: sound?.['codec_name'],
    channels: sound?.['channels'],
  });
}

/** Also of what was stored. */
export function factsOf(told: { readonly [Name in keyof MediaFacts]?: unknown }) {
  const size = (value: unknown): number | undefined =>
    typeof value === 'number' && value > 0 && value <= PIXELS_MAX ? Math.round(value) : undefined;
  const word = (value: unknown): string | undefined =>
    typeof value === 'string' && /^[\w.+-]{1,30}$/.test(value) ? value : undefined;
  const { seconds } = told;
  const isTime = typeof seconds === 'number' && seconds > 0 && seconds <= SECONDS_MAX;
  const facts = {
    width: size(told.width),
    height: size(told.height),
    seconds: isTime ? Math.round(seconds) : undefined,
    picture: word(told.picture),
    sound: word(told.sound),
    channels: size(told.channels),
  };
  const known = Object.entries(facts).filter(([, value]) => value !== undefined);
  return known.length === 0 ? undefined : (Object.fromEntries(known) as MediaFacts);
}

export function storedFacts(text: string): MediaFacts | undefined {
  return factsOf(record(parsed(text)));
}

/** `1,280 × 720, 1:02:03, h264, aac stereo` */
export function factWords(facts: MediaFacts): string {
  const { width, height, seconds, picture, sound, channels } = facts;
  const words = [
    width === undefined || height === undefined ? undefined : `${width} × ${height}`,
    seconds === undefined ? undefined : lengthOf(seconds),
    picture,
    sound === undefined ? undefined : `${sound}${channelWords(channels)}`,
  ];
  return words.filter((one) => one !== undefined).join(', ');
}

function lengthOf(seconds: number): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  const rest = two(seconds % 60);
  return hours > 0 ? `${hours}:${two(minutes)}:${rest}` : `${minutes}:${rest}`;
}

function channelWords(channels: number | undefined): string {
  if (channels === undefined) return '';
  return channels === 1 ? ' mono' : channels === 2 ? ' stereo' : ` ${channels} channels`;
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
