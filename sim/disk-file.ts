// One file of the simulated disk (disk.ts): what a program reads, what is on the medium, and which
// sectors differ. A copy costs nothing until one of the two is written to: a simulation looks at what
// thousands of losses of power would leave of one moment.

import { below, type Random } from '#base/random.ts';

const SECTOR = 512;
const OUTCOMES = ['new', 'new', 'new', 'old', 'old', 'old', 'head', 'tail', 'garbage'] as const;

const NO_BYTES = new Uint8Array(SECTOR);

export interface Sync {
  readonly sizeBytes: number;
  /** Sector to the version it had and the bytes it held when the sync began. */
  readonly sectors: Map<number, { readonly version: number; readonly bytes: Uint8Array }>;
}

export class FileNode {
  readonly isFolder = false;
  sizeBytes = 0;
  #bytes = NO_BYTES;
  #durableBytes = NO_BYTES;
  /** Another file has the same array: it is copied before it is written to. */
  #isShared = true;
  #isDurableShared = true;
  #durableSizeBytes = 0;
  #version = 0;
  /** Sectors that differ from the medium and that the next sync writes. */
  readonly #dirty = new Map<number, number>();
  /** Sectors that differ from the medium and that no sync writes: one failed on them before. */
  readonly #orphans = new Set<number>();

  contents(): Uint8Array {
    return this.#bytes.subarray(0, this.sizeBytes);
  }

  /** The same file, unsynced sectors and all, from now on apart from this one. */
  copy(): FileNode {
    const copy = this.#shared(this.#durableBytes);
    copy.#bytes = this.#bytes;
    this.#isShared = true;
    copy.sizeBytes = this.sizeBytes;
    copy.#durableSizeBytes = this.#durableSizeBytes;
    copy.#version = this.#version;
    for (const [sector, version] of this.#dirty) copy.#dirty.set(sector, version);
    for (const sector of this.#orphans) copy.#orphans.add(sector);
    return copy;
  }

  replace(bytes: Uint8Array): void {
    this.#become(padded(bytes, bytes.byteLength), bytes.byteLength);
  }

  write(bytes: Uint8Array, position: number): void {
    if (bytes.byteLength === 0) return;
    const end = position + bytes.byteLength;
    this.#own(end);
    this.#bytes.set(bytes, position);
    this.#touch(Math.min(position, this.sizeBytes), end);
    this.sizeBytes = Math.max(this.sizeBytes, end);
  }

  truncate(sizeBytes: number): void {
    this.#own(sizeBytes);
    this.#touch(Math.min(sizeBytes, this.sizeBytes), Math.max(sizeBytes, this.sizeBytes));
    this.#bytes.fill(0, sizeBytes);
    this.sizeBytes = sizeBytes;
  }

  beginSync(): Sync {
    const sectors: Sync['sectors'] = new Map();
    for (const [sector, version] of this.#dirty) {
      sectors.set(sector, { version, bytes: sectorOf(this.#bytes, sector) });
    }
    return { sizeBytes: this.sizeBytes, sectors };
  }

  endSync(sync: Sync): void {
    for (const [sector, { version, bytes }] of sync.sectors) {
      this.#ownDurable((sector + 1) * SECTOR);
      this.#durableBytes.set(bytes, sector * SECTOR);
      if (this.#dirty.get(sector) === version) this.#dirty.delete(sector);
    }
    this.#durableSizeBytes = sync.sizeBytes;
  }

  failSync(sync: Sync): void {
    for (const [sector, { version }] of sync.sectors) {
      if (this.#dirty.get(sector) !== version) continue;
      this.#dirty.delete(sector);
      this.#orphans.add(sector);
    }
  }

  afterCrash(random: Random, fate: number): FileNode {
    const isClean = this.#dirty.size === 0 && this.#orphans.size === 0;
    if (isClean && this.sizeBytes === this.#durableSizeBytes) {
      const after = this.#shared(this.#durableBytes);
      after.sizeBytes = this.sizeBytes;
      after.#durableSizeBytes = this.sizeBytes;
      return after;
    }
    const bytes = padded(this.#durableBytes, Math.max(this.sizeBytes, this.#durableSizeBytes));
    for (const sector of [...this.#dirty.keys(), ...this.#orphans]) {
      const end = (sector + 1) * SECTOR;
      if (end > bytes.byteLength) continue;
      const lucky = fate === 1 && !this.#orphans.has(sector);
      const outcome = fate === 0 ? 'old' : lucky ? 'new' : OUTCOMES[below(random, OUTCOMES.length)];
      const fresh = sectorOf(this.#bytes, sector);
      const cut = below(random, SECTOR);
      if (outcome === 'new') bytes.set(fresh, sector * SECTOR);
      else if (outcome === 'head') bytes.set(fresh.subarray(0, cut), sector * SECTOR);
      else if (outcome === 'tail') bytes.set(fresh.subarray(cut), sector * SECTOR + cut);
      else if (outcome === 'garbage') bytes.set(random.bytes(SECTOR), sector * SECTOR);
    }
    let sizeBytes = fate === 0 ? this.#durableSizeBytes : this.sizeBytes;
    if (fate > 1) {
      const low = Math.min(this.#durableSizeBytes, this.sizeBytes);
      const high = Math.max(this.#durableSizeBytes, this.sizeBytes);
      const pick = below(random, 3);
      sizeBytes = pick === 0 ? low : pick === 1 ? high : low + below(random, high - low + 1);
    }
    bytes.fill(0, sizeBytes);
    const after = new FileNode();
    after.#become(bytes, sizeBytes);
    return after;
  }

  /** A file that has these bytes of ours on its medium and in its cache. */
  #shared(bytes: Uint8Array<ArrayBuffer>): FileNode {
    const other = new FileNode();
    other.#bytes = bytes;
    other.#durableBytes = bytes;
    this.#isDurableShared = true;
    return other;
  }

  #become(bytes: Uint8Array<ArrayBuffer>, sizeBytes: number): void {
    this.sizeBytes = sizeBytes;
    this.#bytes = bytes;
    this.#durableBytes = bytes;
    this.#isShared = true;
    this.#isDurableShared = true;
    this.#durableSizeBytes = sizeBytes;
    this.#dirty.clear();
    this.#orphans.clear();
  }

  #own(sizeBytes: number): void {
    const has = this.#bytes.byteLength;
    if (!this.#isShared && sizeBytes <= has) return;
    this.#bytes = padded(this.#bytes, sizeBytes > has ? sizeBytes * 2 : has);
    this.#isShared = false;
  }

  #ownDurable(sizeBytes: number): void {
    const has = this.#durableBytes.byteLength;
    if (!this.#isDurableShared && sizeBytes <= has) return;
    this.#durableBytes = padded(this.#durableBytes, sizeBytes > has ? sizeBytes * 2 : has);
    this.#isDurableShared = false;
  }

  #touch(from: number, to: number): void {
    this.#version++;
    for (let sector = Math.floor(from / SECTOR); sector * SECTOR < to; sector++) {
      this.#dirty.set(sector, this.#version);
      this.#orphans.delete(sector);
    }
  }
}

/** A copy of at least `sizeBytes`, whole sectors, zeros behind. */
function padded(bytes: Uint8Array, sizeBytes: number): Uint8Array<ArrayBuffer> {
  const room = Math.max(bytes.byteLength, sizeBytes, SECTOR);
  const copy = new Uint8Array(Math.ceil(room / SECTOR) * SECTOR);
  copy.set(bytes);
  return copy;
}

function sectorOf(bytes: Uint8Array, sector: number): Uint8Array {
  const copy = new Uint8Array(SECTOR);
  copy.set(bytes.subarray(sector * SECTOR, (sector + 1) * SECTOR));
  return copy;
}
