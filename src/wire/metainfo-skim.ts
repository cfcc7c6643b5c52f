// The files of a .torrent file that was read and checked before, one after the other, with nothing held of
// those that went by: for who looks through a million of them. What was not checked may come out wrong.

import type { Steps } from '#base/steps.ts';
import {
  type SkimmedDict,
  skimDict,
  skimInSteps,
  skimLeaves,
  skimList,
  skimString,
} from './bencode-skim.ts';

export interface SkimmedFile {
  /** As of `MetainfoFile`. */
  readonly path: readonly string[];
  readonly sizeBytes: number;
  readonly pad: boolean;
}

export interface SkimmedTorrent {
  readonly name: string;
  readonly singleFile: boolean;
  /** In the torrent's order, each looked for when it is asked for. */
  readonly files: Iterable<SkimmedFile>;
}

/** Undefined for what is no torrent. */
export function* skimTorrent(bytes: Uint8Array): Steps<SkimmedTorrent | undefined> {
  const root = yield* skimInSteps(bytes);
  const infoBytes = root?.get('info');
  const info = infoBytes && (yield* skimInSteps(infoBytes));
  const nameBytes = info?.get('name.utf-8') ?? info?.get('name');
  if (info === undefined || nameBytes === undefined) return undefined;
  const name = textOf(nameBytes);
  // As the whole reader has it: without pieces of v1 a list or a length beside the tree says nothing.
  const isV1 = info.get('pieces') !== undefined;
  const [list, length] = isV1 ? [info.get('files'), info.get('length')] : [];
  const tree = info.get('file tree');
  if (list !== undefined) return { name, singleFile: false, files: listed(list) };
  const only = { path: [name], sizeBytes: numberOf(length), pad: false };
  if (tree === undefined || length !== undefined) return { name, singleFile: true, files: [only] };
  const [first, second] = filesIn(tree);
  const isAlone = second === undefined && first?.path.length === 1 && first.path[0] === name;
  return { name, singleFile: isAlone, files: { [Symbol.iterator]: () => filesIn(tree) } };
}

function listed(list: Uint8Array): Iterable<SkimmedFile> {
  return {
    *[Symbol.iterator]() {
      for (const item of skimList(list)) {
        const entries = skimDict(item) ?? new Map<string, Uint8Array>();
        const names = entries.get('path.utf-8') ?? entries.get('path') ?? new Uint8Array(0);
        const path = Array.from(skimList(names), textOf);
        yield { path, sizeBytes: numberOf(entries.get('length')), pad: isPad(entries) };
      }
    },
  };
}

function* filesIn(tree: Uint8Array): Generator<SkimmedFile> {
  for (const { path, entries } of skimLeaves(tree)) {
    const names = path.map((key) => Buffer.from(key, 'latin1').toString('utf8'));
    yield { path: names, sizeBytes: numberOf(entries.get('length')), pad: isPad(entries) };
  }
}

function textOf(value: Uint8Array): string {
  return Buffer.from(skimString(value) ?? []).toString('utf8');
}

/** `i12e`. */
function numberOf(value: Uint8Array | undefined): number {
  return Number(Buffer.from(value?.subarray(1, -1) ?? []).toString('latin1'));
}

function isPad(entries: SkimmedDict): boolean {
  const attributes = entries.get('attr');
  return attributes !== undefined && textOf(attributes).includes('p');
}
