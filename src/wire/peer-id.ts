// What a peer id says about the client that made it. Three styles are in use: Azureus' `-TR3000-`
// (two letters, four characters of version), Shadow's `T03I-----` (one letter, up to five), and names
// of their own (`M7-9-2--`, `A2-1-36-0-`). The claim is the client's; nothing is decided by it but
// what the operator's allow and deny lists ask for.

export interface ClientName {
  /** `Transmission`, or `Unknown`. */
  readonly name: string;
  /** `3.0.0`; empty when it cannot be told. */
  readonly version: string;
  /** The printable start of the peer id, for lists and pages: `-TR3000-`. */
  readonly prefix: string;
}

const AZUREUS: Readonly<Record<string, string>> = {
  '7T': 'aTorrent',
  AG: 'Ares',
  AZ: 'Vuze',
  BC: 'BitComet',
  BI: 'BiglyBT',
  BT: 'BitTorrent',
  DE: 'Deluge',
  FD: 'Free Download Manager',
  FW: 'FrostWire',
  FX: 'Freebox',
  HL: 'Halite',
  KG: 'KGet',
  KT: 'KTorrent',
  LT: 'libtorrent',
  lt: 'rTorrent',
  PI: 'PicoTorrent',
  qB: 'qBittorrent',
  SD: 'Thunder',
  SK: 'Swarmkeep',
  SP: 'BitSpirit',
  TL: 'Tribler',
  TR: 'Transmission',
  TX: 'Tixati',
  UE: 'µTorrent Embedded',
  UM: 'µTorrent for Mac',
  UT: 'µTorrent',
  UW: 'µTorrent Web',
  WD: 'WebTorrent Desktop',
  WW: 'WebTorrent',
  XL: 'Xunlei',
  ZO: 'Zona',
};

const SHADOW: Readonly<Record<string, string>> = {
  A: 'ABC',
  O: 'Osprey',
  Q: 'BTQueue',
  R: 'Tribler',
  S: 'Shadow',
  T: 'BitTornado',
  U: 'UPnP NAT',
};

/** For the 20 bytes of a peer id; anything else is `Unknown`. */
export function clientName(peerId: Uint8Array): ClientName {
  const text = Buffer.from(peerId).toString('latin1');
  const prefix = /^[\x21-\x7e]{0,8}/.exec(text)?.[0] ?? '';
  const azureus = /^-([A-Za-z0-9~]{2})([0-9A-Za-z]{4})-/.exec(text);
  if (azureus !== null) {
    const code = azureus[1] ?? '';
    const name = AZUREUS[code] ?? `Unknown (${code})`;
    return { name, version: azureusVersion(code, azureus[2] ?? ''), prefix };
  }
  const named =
    /^(A2|M)([0-9]+(?:-[0-9]+)+)-/.exec(text) ?? /^(A2)-([0-9]+(?:-[0-9]+)*)-/.exec(text);
  if (named !== null) {
    const name = named[1] === 'M' ? 'BitTorrent' : 'aria2';
    return { name, version: (named[2] ?? '').replaceAll('-', '.'), prefix };
  }
  const shadow = /^([AOQRSTU])([0-9A-Za-z.-]{5})---/.exec(text);
  if (shadow !== null) {
    const digits = [...(shadow[2] ?? '').replace(/-+$/, '')].map(digitOf);
    return { name: SHADOW[shadow[1] ?? ''] ?? 'Unknown', version: digits.join('.'), prefix };
  }
  return { name: 'Unknown', version: '', prefix };
}

function azureusVersion(code: string, version: string): string {
  // Up to 3.00 Transmission wrote 3.00 as "300" and a letter or digit for the kind of build.
  if (code === 'TR' && /^[0-3]/.test(version)) {
    return `${digitOf(version[0] ?? '0')}.${version.slice(1, 3)}`;
  }
  // WebTorrent writes two decimal digits for each of two numbers.
  if (code === 'WW' || code === 'WD') {
    return `${Number(version.slice(0, 2))}.${Number(version.slice(2))}`;
  }
  const digits = [...version].map(digitOf);
  while (digits.length > 2 && digits.at(-1) === 0) digits.pop();
  return digits.join('.');
}

/** 0-9, then A is 10 and so on. */
function digitOf(character: string): number {
  const value = Number.parseInt(character, 36);
  return Number.isNaN(value) ? 0 : value;
}
