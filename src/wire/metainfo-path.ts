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
  readonly #files = new Map<string, readonly string[]>();
  readonly #folders = new Map<string, string>();
  /** Of the last path: files of a folder mostly stand together. */
  #folder: { readonly names: readonly string[]; readonly folded: string } | undefined;

  /** The path that the new one clashes with, or undefined after the new one was added. */
  add(path: readonly string[]): string | undefined {
    const names = path.slice(0, -1);
    const isSameFolder = this.#folder !== undefined && isEqual(this.#folder.names, names);
    let folded = isSameFolder ? (this.#folder?.folded ?? '') : '';
    for (const [depth, name] of path.entries()) {
      // What stands of the folder was looked at with the path before.
      if (isSameFolder && depth < names.length) continue;
      folded += depth === 0 ? foldName(name) : `/${foldName(name)}`;
      const file = this.#files.get(folded);
      if (file !== undefined) return file.join('/');
      if (depth === names.length) break;
      if (!this.#folders.has(folded)) this.#folders.set(folded, path.join('/'));
      if (depth === names.length - 1) this.#folder = { names, folded };
    }
    const folder = this.#folders.get(folded);
    if (folder !== undefined) return folder;
    this.#files.set(folded, path);
    return undefined;
  }
}

function isEqual(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((name, at) => name === other[at]);
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
