// Writes the files of a torrent while they come, so that no more than their bytes is held of hundreds of
// thousands: the list of v1 (BEP 3), with pad files (BEP 47), and the file tree of v2 (BEP 52).

import { assert } from '#base/assert.ts';
import { BencodeWriter, RawBencode } from './bencode-encoder.ts';

export class FileListWriter {
  readonly #writer = new BencodeWriter();

  constructor() {
    this.#writer.begin('list');
  }

  add(file: { readonly path: readonly string[]; readonly length: number }, isPad = false): void {
    const writer = this.#writer;
    writer.begin('dict');
    if (isPad) {
      writer.key('attr');
      writer.value('p');
    }
    writer.key('length');
    writer.value(file.length);
    writer.key('path');
    writer.begin('list');
    for (const name of file.path) writer.value(name);
    writer.end();
    writer.end();
  }

  /** Once, after the last file. */
  finish(): RawBencode {
    this.#writer.end();
    return new RawBencode(this.#writer.view());
  }
}

export class FileTreeWriter {
  readonly #writer = new BencodeWriter();
  /** That is open. */
  #folder: readonly string[] = [];

  constructor() {
    this.#writer.begin('dict');
  }

  /** In the order of BEP 52: folder by folder, names in byte order, none twice. No `root`: it is empty. */
  add(path: readonly string[], length: number, root: Uint8Array | undefined): void {
    const depth = path.length - 1;
    const open = this.#folder;
    let same = 0;
    while (same < depth && same < open.length && path[same] === open[same]) same += 1;
    for (let at = open.length; at > same; at--) this.#writer.end();
    for (let at = same; at < depth; at++) this.#begin(path[at]);
    if (same < open.length || same < depth) this.#folder = path.slice(0, depth);
    this.#begin(path[depth]);
    this.#begin('');
    this.#writer.key('length');
    this.#writer.value(length);
    if (root !== undefined) {
      this.#writer.key('pieces root');
      this.#writer.value(root);
    }
    this.#writer.end();
    this.#writer.end();
  }

  /** Once, after the last file. */
  finish(): RawBencode {
    for (let at = this.#folder.length; at >= 0; at--) this.#writer.end();
    return new RawBencode(this.#writer.view());
  }

  #begin(name: string | undefined): void {
    assert(name !== undefined, 'a path has a name at each depth');
    this.#writer.key(Buffer.from(name, 'utf8').toString('latin1'));
    this.#writer.begin('dict');
  }
}
