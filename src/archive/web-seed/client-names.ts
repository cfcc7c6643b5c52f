// What clients call a file on their own disk, and then ask a web seed for, where they cannot or will not
// write the torrent's own name. Found by asking the clients; each only as far as Linux or Windows needs.

/** libtorrent, and with it qBittorrent and Deluge: a name goes on to the character that reaches it. */
const SHORT_BYTES = 240;
/** Of a name that is cut what it ends with stays when it is shorter: the dot and at most eight more. */
const EXTENSION_BYTES_MAX = 9;
const DOT = 0x2e;

/** A path without any of this is written as it is. */
const UNUSUAL = /[<>:"\\|?*]|(?:^|\/) |[. ](?:\/|$)|[^/]{81}/;

/** Of a path whose names stand between slashes. */
export function namesAtClients(path: string): readonly string[] {
  // There may be a million.
  if (!UNUSUAL.test(path)) return [path];
  const names = path.split('/');
  return [portableName, shortenedName].map((nameOf) => names.map(nameOf).join('/'));
}

/** As Transmission writes a name on any system, and others on Windows. */
function portableName(name: string): string {
  return name
    .replace(/[<>:"\\|?*]/g, '_')
    .replace(/^ +/, '')
    .replace(/[. ]+$/, '');
}

/** As libtorrent 2.0 writes a name of more than 240 bytes. */
export function shortenedName(name: string): string {
  // No character has more than three bytes for each of these.
  if (name.length * 3 <= SHORT_BYTES) return name;
  const bytes = Buffer.from(name, 'utf8');
  if (bytes.length <= SHORT_BYTES) return name;
  let cut = SHORT_BYTES;
  while (isWithin(bytes, cut)) cut++;
  let last = cut - 1;
  while (isWithin(bytes, last)) last--;
  const dot = bytes.lastIndexOf(DOT);
  const isExtension = dot > last && dot >= bytes.length - EXTENSION_BYTES_MAX;
  const end = isExtension ? bytes.subarray(dot) : bytes.subarray(0, 0);
  return Buffer.concat([bytes.subarray(0, cut), end]).toString('utf8');
}

/** Of a character, and not its first byte. */
function isWithin(bytes: Buffer, at: number): boolean {
  return ((bytes[at] ?? 0) & 0xc0) === 0x80;
}
