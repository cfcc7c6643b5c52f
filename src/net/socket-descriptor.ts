// The descriptor of one of Node's own sockets, which Node tells nobody officially: its handle has it, on
// every system but Windows. Whoever asks must do without it.

import type { Socket } from 'node:net';

/** Undefined when it has none, or none that says so, or its bytes are not those that the peer sees (TLS). */
export function descriptorOf(socket: Socket): number | undefined {
  if ('encrypted' in socket || socket.destroyed) return undefined;
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null) return undefined;
  const descriptor: unknown = Reflect.get(handle, 'fd');
  return typeof descriptor === 'number' && descriptor >= 0 ? descriptor : undefined;
}
