// Where a request comes from, as far as it is known: the connection's other end, or whom a trusted proxy
// names.

const ADDRESS_CHARS_MAX = 64;

export interface CameFrom {
  /** The socket's own; empty when nobody knows. */
  readonly peer: string;
  /** `x-forwarded-for`; empty when there is none. */
  readonly forwarded: string;
}

export function callerAddress({ peer, forwarded }: CameFrom, proxies: readonly string[]): string {
  if (!proxies.includes(peer)) return peer;
  // Each proxy adds at the end, so the last one is what the trusted proxy saw.
  const named = forwarded.split(',').at(-1)?.trim() ?? '';
  return named === '' ? peer : named.slice(0, ADDRESS_CHARS_MAX);
}

/** Of what `fetch` is given. */
export function fetchedFrom(
  request: Request,
  env: { readonly peerAddress?: string } | undefined,
): CameFrom {
  const forwarded = request.headers.get('x-forwarded-for') ?? '';
  return { peer: env?.peerAddress ?? '', forwarded };
}
