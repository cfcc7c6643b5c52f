// Whether a path inside of a torrent is safe to write on any member's disk. A name from a .torrent
// is chosen by a stranger: it must not leave its folder, name a device, hide its ending, or fall
// together with another one on a file system that folds case or drops trailing dots.

export interface PathLimits {
  readonly depthMax: number;
  /** One name, in bytes of UTF-8. 255 is what ext4, NTFS and APFS can hold. */
  readonly nameBytesMax: number;
  /** The names and the separators between them, in bytes of UTF-8. */
  readonly pathBytesMax: number;
}

export const PATH_LIMITS: PathLimits = { depthMax: 64, nameBytesMax: 255, pathBytesMax: 1024 };

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const DEVICE_NAME = /^(con|prn|aux|nul|conin\$|conout\$|clock\$|(com|lpt)[0-9¹²³])[ ]*(\.|:|$)/i;
/** What most names are, and hundreds of thousands may be looked at. */
const USUAL = /^[A-Za-z0-9_][A-Za-z0-9_ .,()[\]+-]*$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
const DIRECTION = /[\u202a-\u202e\u2066-\u2069]/;

/** Undefined unless the bytes are valid UTF-8. */
export function decodeName(bytes: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Why the name cannot be accepted, as a clause; undefined when it is safe. */
export function nameProblem(name: string, limits: PathLimits = PATH_LIMITS): string | undefined {
  const isUsual = USUAL.test(name) && name.length <= limits.nameBytesMax;
  return isUsual && !DEVICE_NAME.test(name) ? undefined : problemOf(name, limits);
}

function problemOf(name: string, limits: PathLimits): string | undefined {
  if (name === '') return 'it is empty';
  if (name === '.' || name === '..') return 'it points out of its folder';
  if (name.includes('/') || name.includes('\\')) return 'it contains a path separator';
  if (CONTROL.test(name)) return 'it contains a control character';
  if (DIRECTION.test(name)) return 'it contains characters that reverse the direction of text';
  if (/^[A-Za-z]:/.test(name)) return 'it begins with the letter of a drive';
  if (DEVICE_NAME.test(name)) return 'it is the name of a device on Windows';
  if (/^[. ]+$/.test(name)) return 'Windows would drop all of its characters';
  if (Buffer.byteLength(name) > limits.nameBytesMax) {
    return `it is longer than ${limits.nameBytesMax} bytes`;
  }
  return undefined;
}

/** Remembers the paths of one torrent and finds those that would fall together. */
export class PathClashes {
  readonly #top: Below = new Map();
  /** Of the last path: files of a folder mostly stand together. */
  #last: { readonly path: readonly string[]; readonly below: Below } | undefined;

  /** The path that the new one clashes with, or undefined after the new one was added. */
  add(path: readonly string[]): string | undefined {
    const isSameFolder = this.#last !== undefined && isBeside(this.#last.path, path);
    let below = isSameFolder && this.#last !== undefined ? this.#last.below : this.#top;
    for (let depth = isSameFolder ? path.length - 1 : 0; depth < path.length - 1; depth++) {
      const folded = foldName(path[depth] ?? '');
      const known = below.get(folded);
      if (known !== undefined && !('first' in known)) return known.join('/');
      const folder: Folder = known ?? { first: path, below: new Map() };
      if (known === undefined) below.set(folded, folder);
      below = folder.below;
    }
    this.#last = { path, below };
    const folded = foldName(path.at(-1) ?? '');
    const known = below.get(folded);
    if (known !== undefined) return ('first' in known ? known.first : known).join('/');
    below.set(folded, path);
    return undefined;
  }
}

/** By folded name: the path of a file, or a folder. */
type Below = Map<string, readonly string[] | Folder>;

interface Folder {
  /** The first path that lies in it. */
  readonly first: readonly string[];
  readonly below: Below;
}

/** In the same folder, written the same. */
function isBeside(one: readonly string[], other: readonly string[]): boolean {
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length - 1; at++) if (one[at] !== other[at]) return false;
  return true;
}

const PLAIN = /^[\x20-\x7e]*$/;

/** What case-folding, normalising, dot-dropping file systems make of a name. */
function foldName(name: string): string {
  // Most names are plain, and these are thousands.
  if (PLAIN.test(name)) return name.toLowerCase().replace(/[. ]+$/, '');
  return name
    .normalize('NFKC')
    .toUpperCase()
    .toLowerCase()
    .normalize('NFC')
    .replace(/[. ]+$/, '');
}

/** A name for an error message: short, and without what would spoil the terminal or the page. */
export function showName(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced
  const clean = name.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, '�');
  return clean.length > 80 ? `"${clean.slice(0, 79)}…"` : `"${clean}"`;
}
