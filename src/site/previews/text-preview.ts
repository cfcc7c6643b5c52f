// The beginning of a text as a page shows it: read in the encoding it has, without what would move the
// reader's eye or page about, and of subtitles what is said and when. Nothing is believed because of a
// name: what has no text in it gives none. Pure.

export type TextKind = 'text' | 'subtitles';

/** Read of a file, at most. */
export const TEXT_HEAD_BYTES = 64 * 1024;
const SHOWN_CHARS_MAX = 8000;
const CUES_MAX = 100;

const TEXTS = new Set(
  'txt md nfo csv tsv json xml html log cue ini toml yml yaml py r tex bib rst sfv md5 sha256'.split(
    ' ',
  ),
);
const SUBTITLES = new Set('srt vtt ass ssa'.split(' '));
const PLAIN_NAMES = /^(readme|license|licence|copying|changelog|authors)$/i;

/** By its name: what it may be. */
export function mayBeText(name: string): TextKind | undefined {
  const end = name.lastIndexOf('.');
  const ending = end > 0 ? name.slice(end + 1).toLowerCase() : '';
  if (SUBTITLES.has(ending)) return 'subtitles';
  return TEXTS.has(ending) || PLAIN_NAMES.test(name) ? 'text' : undefined;
}

/** `isWhole` when the bytes are all of the file. Undefined for what is no text. */
export function textPreview(
  head: Uint8Array,
  of: { readonly kind: TextKind; readonly isWhole: boolean },
): string | undefined {
  const decoded = decode(head, of.isWhole);
  if (decoded === undefined) return undefined;
  const text = decoded.replace(/\r\n?/g, '\n').replace(UNSHOWN, '');
  const lines = of.kind === 'subtitles' ? cuesOf(text) : undefined;
  const shown = (lines === undefined || lines.length === 0 ? text : lines.join('\n')).trim();
  return shown === '' ? undefined : shortened(shown);
}

/** Control characters but for line breaks and tabs, and those that turn the direction of what follows. */
const UNSHOWN = /(?![\n\t])\p{Cc}|[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu;

function decode(head: Uint8Array, isWhole: boolean): string | undefined {
  if (head[0] === 0xff && head[1] === 0xfe) return new TextDecoder('utf-16le').decode(head);
  if (head[0] === 0xfe && head[1] === 0xff) return new TextDecoder('utf-16be').decode(head);
  if (head.includes(0)) return undefined;
  try {
    // A character that the end of the head cuts in two is no mistake.
    return new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: !isWhole });
  } catch {
    return isOldText(head) ? new TextDecoder('windows-1252').decode(head) : undefined;
  }
}

/** Bytes of an older encoding: hardly any that no text has. */
function isOldText(head: Uint8Array): boolean {
  let strange = 0;
  for (const byte of head) if (byte < 32 && byte !== 9 && byte !== 10 && byte !== 13) strange += 1;
  return strange * 200 < head.length;
}

/** `0:05  what is said`, of SRT, WebVTT and (Sub Station) Alpha. */
function cuesOf(text: string): string[] {
  const dialogues = [...text.matchAll(/^Dialogue:(.{1,2000})$/gm)].slice(0, CUES_MAX);
  if (dialogues.length > 0) {
    return dialogues.flatMap(([, line = '']) => {
      const fields = line.split(',');
      return cue(
        (fields[1] ?? '').trim(),
        fields
          .slice(9)
          .join(',')
          .replaceAll(/\\[Nn]/g, ' '),
      );
    });
  }
  const cues: string[] = [];
  for (const block of text.split(/\n{2,}/)) {
    const lines = block.split('\n');
    const at = lines.findIndex((line) => line.includes('-->'));
    if (at === -1) continue;
    const start = (lines[at] ?? '').split('-->')[0]?.trim() ?? '';
    cues.push(...cue(start, lines.slice(at + 1).join(' ')));
    if (cues.length >= CUES_MAX) break;
  }
  return cues;
}

function cue(start: string, words: string): string[] {
  const [, hours = '0', minutes, seconds] = /^(?:(\d{1,3}):)?(\d{1,2}):(\d{2})/.exec(start) ?? [];
  const said = words
    .replaceAll(/<[^<>]{0,200}>|\{[^{}]{0,200}\}/g, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
  if (minutes === undefined || said === '') return [];
  const hour = Number(hours);
  const time = hour > 0 ? `${hour}:${minutes.padStart(2, '0')}` : String(Number(minutes));
  return [`${time}:${seconds}  ${said}`];
}

function shortened(text: string): string {
  if (text.length <= SHOWN_CHARS_MAX) return text;
  return `${text.slice(0, SHOWN_CHARS_MAX).toWellFormed().trimEnd()} …`;
}
