// The server's side of the store's protocol: takes connections whose caller is known, and bounds how
// many there are, in all and of one member.

import type { Caller, StoreDoor } from './door.ts';
import type { MessageStream } from './message-stream.ts';
import { CLOSE, StoreConnection } from './store-connection.ts';

export class StoreServer {
  readonly #door: StoreDoor;
  readonly #connections = new Map<StoreConnection, string>();
  #isClosed = false;

  constructor(door: StoreDoor) {
    this.#door = door;
  }

  /** False when there is no place for one more of this caller: then nothing was done. */
  hasRoom(caller: Caller): boolean {
    const { connectionsMax, connectionsPerMemberMax } = this.#door.config;
    if (this.#isClosed || this.#connections.size >= connectionsMax) return false;
    let own = 0;
    for (const who of this.#connections.values()) if (who === caller.budget) own++;
    return own < connectionsPerMemberMax;
  }

  /** Serves the connection to its end; refuses one that there is no room for. */
  take(caller: Caller, stream: MessageStream): void {
    const { counts } = this.#door;
    if (!this.hasRoom(caller)) {
      counts.refused('STORE_BUSY');
      stream.start({ onText() {}, onBytes() {}, onDrain() {}, onClosed() {} });
      stream.sendText('ERR 0 STORE_BUSY All places for connections are taken');
      stream.close(CLOSE.policy);
      return;
    }
    const connection = new StoreConnection(this.#door, {
      caller,
      stream,
      onEnded: () => {
        this.#connections.delete(connection);
        counts.connections(this.#connections.size);
      },
    });
    this.#connections.set(connection, caller.budget);
    counts.connections(this.#connections.size);
    connection.start();
  }

  /** Answers what was put, ends every connection. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#connections.keys()].map((connection) => connection.close()));
  }
}
