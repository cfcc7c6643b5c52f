// The client behind a peer id, as far as its first bytes tell (the Azureus convention of BEP 20).

const CLIENTS: Readonly<Record<string, string>> = {
  A2: 'aria2',
  AZ: 'Vuze',
  BI: 'BiglyBT',
  BC: 'BitComet',
  DE: 'Deluge',
  KT: 'KTorrent',
  LT: 'libtorrent',
  lt: 'rTorrent',
  TR: 'Transmission',
  TX: 'Tixati',
  UT: 'µTorrent',
  UM: 'µTorrent',
  WW: 'WebTorrent',
  WD: 'WebTorrent',
  qB: 'qBittorrent',
};

/** `Transmission 4.0.5`, the raw mark of a client that is not known, or `Unknown client`. */
export function clientName(peerId: Uint8Array): string {
  return clientNameOf(Buffer.from(peerId.subarray(0, 8)).toString('latin1'));
}

/** The same, of the mark alone, as the ledger keeps it. */
export function clientNameOf(mark: string): string {
  const [, letters, version] = /^-([A-Za-z][A-Za-z0-9])([0-9A-Za-z]{4})-/.exec(mark) ?? [];
  if (letters !== undefined && version !== undefined) {
    const name = CLIENTS[letters];
    return name === undefined
      ? `${letters} ${versionText(version)}`
      : `${name} ${versionText(version)}`;
  }
  const aria = /^A2-(\d+)-(\d+)-/.exec(mark);
  if (aria !== null) return `aria2 ${aria[1]}.${aria[2]}`;
  return 'Unknown client';
}

/** `4050` is 4.0.5: one figure a place, the last left out when it is 0 or a mark of a build. */
function versionText(version: string): string {
  const places = [...version].map((place) => Number.parseInt(place, 36));
  const shown = places.slice(0, 3);
  if (places[3] !== undefined && places[3] > 0 && places[3] < 10) shown.push(places[3]);
  while (shown.length > 2 && shown.at(-1) === 0) shown.pop();
  return shown.join('.');
}
