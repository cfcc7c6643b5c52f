// What proxies add about whom they got a request from: `X-Forwarded-For` and `Forwarded` (RFC 7239).
// Both are lists to which each proxy appends the hop before it, so only the end of one is known to be
// true. A header that was sent on several lines is one list.
//
//   X-Forwarded-For: 203.0.113.7, 2001:db8::1, 10.0.0.2
//   Forwarded: for=203.0.113.7;proto=https, for="[2001:db8::1]:4711", for=_hidden, for=unknown

export type ForwardedHeader = 'x-forwarded-for' | 'forwarded';

export interface ForwardedHop {
  /** The text of an IP address, as it seems; empty when the hop is hidden, unknown or broken. */
  readonly ip: string;
  /** 0 when it is not said. */
  readonly port: number;
}

/** Hops that are read at most; what stands before the last so many is nobody's word. */
const HOPS_MAX = 64;
const UNKNOWN: ForwardedHop = { ip: '', port: 0 };

/** `head` is a whole request head as Latin-1 text. In the order of the hops: the nearest is last. */
export function forwardedHops(head: string, header: ForwardedHeader): readonly ForwardedHop[] {
  const values = head
    .split('\n')
    .filter((line) => line.slice(0, header.length + 1).toLowerCase() === `${header}:`)
    .map((line) => line.slice(header.length + 1).trim());
  const nodes =
    header === 'forwarded'
      ? values.flatMap((value) => forwardedNodes(value))
      : values.flatMap((value) => value.split(',')).filter((node) => node.trim() !== '');
  return nodes.slice(-HOPS_MAX).map((node) => readNode(node.trim()));
}

/** The `for` of each element of one line. One that cannot be read makes the line one unknown hop. */
function forwardedNodes(value: string): readonly string[] {
  const pair = /[ \t]*(?:([\w!#$%&'*+.^`|~-]+)=([^\s",;]+|"(?:[^"\\]|\\.)*")[ \t]*)?([,;]|$)/y;
  const nodes: string[] = [];
  let node: string | undefined;
  let isEmpty = true;
  while (pair.lastIndex < value.length || !isEmpty) {
    const found = pair.exec(value);
    if (found === null) return [''];
    const [, name, text = '', end] = found;
    if (name !== undefined) isEmpty = false;
    if (name?.toLowerCase() === 'for') {
      if (node !== undefined) return [''];
      node = text.startsWith('"') ? text.slice(1, -1).replace(/\\(.)/g, '$1') : text;
    }
    if (end === ';') continue;
    if (!isEmpty) nodes.push(node ?? '');
    node = undefined;
    isEmpty = true;
    if (end === '') break;
  }
  return nodes;
}

/** `192.0.2.1`, `192.0.2.1:80`, `[2001:db8::1]:80`, `2001:db8::1`; ports may be hidden too. */
function readNode(node: string): ForwardedHop {
  const bracketed = /^\[([\da-fA-F:.]+)\](?::(\d{1,5}|_[\w.-]+))?$/.exec(node);
  const plain = bracketed ?? /^([\d.]+)(?::(\d{1,5}|_[\w.-]+))?$/.exec(node);
  const ip = plain?.[1] ?? (/^[\da-fA-F:.]{2,45}$/.test(node) ? node : '');
  const port = Number(plain?.[2] ?? 0);
  if (ip === '') return UNKNOWN;
  return { ip, port: port >= 0 && port <= 0xffff ? port : 0 };
}
