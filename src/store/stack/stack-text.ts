// A store as one line of configuration, outermost first:
//
//   packed                                       a folder of packs in the data folder
//   cache(50GB) > encrypt > s3                   plain near copies of encrypted blobs in a bucket
//   replica(packed, directory(/mnt/b), s3, writes=2)
//   shard(packed(/mnt/a), packed(/mnt/b))        by rendezvous; `place=hash` for the hash's remainder
//   union(packed(/mnt/a), packed(/mnt/b))        new blobs where most is free; `place=first` for the first
//
// A wrapper stands before `>`, a store that keeps blobs itself at the end; members of a group are stacks
// themselves. What cannot work is refused with the reason.

import { bytes } from '#base/field.ts';

export type StackNode =
  | { readonly kind: 'packed' | 'directory'; readonly place: string }
  | { readonly kind: 's3'; readonly place: string }
  | { readonly kind: 'cache'; readonly bytesMax: number; readonly behind: StackNode }
  | { readonly kind: 'encrypt'; readonly behind: StackNode }
  | {
      readonly kind: 'replica';
      readonly writesMin: number;
      readonly members: readonly StackNode[];
    }
  | {
      readonly kind: 'shard' | 'union';
      readonly placement: 'rendezvous' | 'hash' | 'free' | 'first';
      readonly members: readonly StackNode[];
    };

export type ParsedStack = { readonly node: StackNode } | { readonly why: string };

const STORES = ['packed', 'directory', 's3'] as const;
const WRAPPERS = ['cache', 'encrypt'] as const;
const GROUPS = ['replica', 'shard', 'union'] as const;
const KNOWN = [...STORES, ...WRAPPERS, ...GROUPS];
const DEPTH_MAX = 8;
const MEMBERS_MAX = 100;
const CACHE_BYTES_MIN = 1024 * 1024;
const PLACEMENTS = { shard: ['rendezvous', 'hash'], union: ['free', 'first'] } as const;

class Invalid extends Error {}

export function parseStack(text: string): ParsedStack {
  try {
    const node = chainOf(text, 0);
    refuseSharedPlaces(node);
    return { node };
  } catch (error) {
    if (error instanceof Invalid) return { why: error.message };
    throw error;
  }
}

/** The same line, spelled our way; for people. */
export function stackText(node: StackNode): string {
  if (node.kind === 'cache') return `cache(${node.bytesMax}) > ${stackText(node.behind)}`;
  if (node.kind === 'encrypt') return `encrypt > ${stackText(node.behind)}`;
  if ('place' in node) return node.place === '' ? node.kind : `${node.kind}(${node.place})`;
  const members = node.members.map(stackText).join(', ');
  const option = node.kind === 'replica' ? `writes=${node.writesMin}` : `place=${node.placement}`;
  return `${node.kind}(${members}, ${option})`;
}

function chainOf(text: string, depth: number): StackNode {
  if (depth > DEPTH_MAX) throw new Invalid(`it is more than ${DEPTH_MAX} stores deep`);
  const [first = '', ...rest] = split(text, '>');
  const found = /^([a-z0-9]+)\s*(?:\((.*)\))?$/s.exec(first.trim());
  const name = found?.[1] ?? first.trim();
  const args = found?.[2];
  const kind = KNOWN.find((known) => known === name);
  if (found === null || kind === undefined) {
    throw new Invalid(`"${name}" is no store; there are ${KNOWN.join(', ')}`);
  }
  const behind = rest.join('>');
  if (kind === 'cache' || kind === 'encrypt') {
    if (rest.length === 0) throw new Invalid(`${kind} needs a store behind it: ${kind} > packed`);
    return wrapperOf(kind, args, chainOf(behind, depth + 1));
  }
  if (rest.length > 0) {
    throw new Invalid(`${kind} keeps the blobs, so "> ${behind.trim()}" can have no effect`);
  }
  if (kind === 'packed' || kind === 'directory' || kind === 's3') return leafOf(kind, args);
  return groupOf(kind, split(args ?? '', ','), depth);
}

function leafOf(kind: 'packed' | 'directory' | 's3', args: string | undefined): StackNode {
  const place = (args ?? '').trim();
  const isRight =
    kind === 's3'
      ? /^(?:[A-Za-z0-9._-]+\/)*[A-Za-z0-9._-]*$/.test(place)
      : /^(?:|[a-z0-9-]{1,64}|\/[^,()>\0]*[^,()>\0/])$/.test(place) &&
        !/(^|\/)\.\.?(\/|$)/.test(place);
  if (isRight) return { kind, place };
  throw new Invalid(
    kind === 's3'
      ? `"${place}" cannot begin the names of objects`
      : `"${place}" is neither an absolute path nor a plain name for a folder in the data folder`,
  );
}

function wrapperOf(
  kind: 'cache' | 'encrypt',
  args: string | undefined,
  behind: StackNode,
): StackNode {
  if (kind === 'encrypt') {
    if (args !== undefined)
      throw new Invalid('encrypt takes nothing in brackets; the key file is store.keyFile');
    if (holds(behind, 'encrypt')) throw new Invalid('it encrypts what is encrypted already');
    return { kind, behind };
  }
  const size = bytes({ min: CACHE_BYTES_MIN }).safeParse((args ?? '').trim());
  if (!size.success) throw new Invalid('cache needs a size of at least 1 MiB: cache(50 GiB) > …');
  if (holds(behind, 'cache')) throw new Invalid('it caches what is cached already');
  return { kind, bytesMax: size.data, behind };
}

function groupOf(
  kind: 'replica' | 'shard' | 'union',
  args: readonly string[],
  depth: number,
): StackNode {
  const options = new Map<string, string>();
  const members: StackNode[] = [];
  for (const arg of args) {
    const [, name, value] = /^\s*([a-z]+)\s*=\s*([a-z0-9]+)\s*$/.exec(arg) ?? [];
    if (name !== undefined && value !== undefined) options.set(name, value);
    else members.push(chainOf(arg, depth + 1));
  }
  if (members.length < 2) throw new Invalid(`${kind} needs at least two members`);
  if (members.length > MEMBERS_MAX) throw new Invalid(`${kind} has at most ${MEMBERS_MAX} members`);
  const known = kind === 'replica' ? 'writes' : 'place';
  for (const name of options.keys()) {
    if (name !== known) throw new Invalid(`${kind} has no option "${name}", only "${known}"`);
  }
  const option = options.get(known);
  if (kind === 'replica') return { kind, writesMin: writesOf(option, members.length), members };
  const placement = PLACEMENTS[kind].find((one) => one === (option ?? PLACEMENTS[kind][0]));
  if (placement !== undefined) return { kind, placement, members };
  throw new Invalid(`${kind} is placed by ${PLACEMENTS[kind].join(' or ')}, not by "${option}"`);
}

function writesOf(text: string | undefined, members: number): number {
  const writes = text === undefined ? members : Number(text);
  if (Number.isInteger(writes) && writes >= 1 && writes <= members) return writes;
  throw new Invalid(`writes is a number from 1 to the ${members} members`);
}

/** Two that keep their blobs in one place would be one copy, or harm each other. */
function refuseSharedPlaces(node: StackNode): void {
  const places = leavesOf(node).map((leaf) => `${leaf.kind}(${leaf.place})`);
  const twice = places.find((place, at) => places.indexOf(place) !== at);
  if (twice !== undefined) throw new Invalid(`two of its stores would be the same: ${twice}`);
  const folders = leavesOf(node).filter(({ kind }) => kind !== 's3');
  for (const [at, leaf] of folders.entries()) {
    const inside = folders.find((other, n) => {
      const outer = other.place === '' ? other.kind : other.place;
      return n !== at && `${leaf.place === '' ? leaf.kind : leaf.place}/`.startsWith(`${outer}/`);
    });
    if (inside !== undefined)
      throw new Invalid(`one of its folders lies in another: "${leaf.place}"`);
  }
}

export function leavesOf(node: StackNode): Extract<StackNode, { readonly place: string }>[] {
  if ('place' in node) return [node];
  return 'behind' in node ? leavesOf(node.behind) : node.members.flatMap(leavesOf);
}

/** Names of the places where blobs would be kept: two stacks that share one must not be open at once. */
export function placesOf(node: StackNode, role = ''): string[] {
  if (node.kind === 'cache') return [`cache ${role}`, ...placesOf(node.behind, role)];
  if (node.kind === 'encrypt') {
    return ['parts', 'manifests'].flatMap((part) => placesOf(node.behind, `${role}${part}`));
  }
  if ('members' in node) return node.members.flatMap((member) => placesOf(member, role));
  return [`${node.place === '' ? node.kind : node.place} ${role}`];
}

function holds(node: StackNode, kind: StackNode['kind']): boolean {
  if (node.kind === kind) return true;
  if ('behind' in node) return holds(node.behind, kind);
  return 'members' in node && node.members.some((member) => holds(member, kind));
}

/** At separators outside of brackets. */
function split(text: string, separator: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '(') depth++;
    else if (text[at] === ')') depth--;
    else if (text[at] === separator && depth === 0) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
    if (depth < 0) throw new Invalid('a bracket is closed that was not opened');
  }
  if (depth > 0) throw new Invalid('a bracket is opened and not closed');
  parts.push(text.slice(start));
  return parts;
}
