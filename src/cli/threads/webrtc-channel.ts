// Offers and answers between tracker threads, over one BroadcastChannel per worker: who knows a
// worker's number can post to it, and no port has to be handed from thread to thread.

import { BroadcastChannel } from 'node:worker_threads';
import type { WebRtcMessage, WebRtcPlace, WebRtcRelay } from '#tracker/webrtc-relay.ts';

interface Posted {
  readonly connection: number;
  readonly message: WebRtcMessage;
}

/**
 * `name` is the same for the workers of one swarm and differs from that of any other swarm in the
 * process. Keeps no thread running.
 */
export class WebRtcChannel implements WebRtcRelay {
  readonly worker: number;
  readonly #name: string;
  readonly #own: BroadcastChannel;
  readonly #others = new Map<number, BroadcastChannel>();

  constructor(name: string, worker: number) {
    this.worker = worker;
    this.#name = name;
    this.#own = this.#open(worker);
  }

  sendTo(to: WebRtcPlace, message: WebRtcMessage): void {
    let channel = this.#others.get(to.worker);
    if (channel === undefined) {
      channel = this.#open(to.worker);
      this.#others.set(to.worker, channel);
    }
    // Copies, because a view is posted with all of the buffer that it is a part of.
    const posted: Posted = {
      connection: to.connection,
      message: {
        ...message,
        infoHash: message.infoHash.slice(),
        offerId: message.offerId.slice(),
        peerId: message.peerId.slice(),
        description: message.description.slice(),
      },
    };
    channel.postMessage(posted);
  }

  onMessage(receive: (connection: number, message: WebRtcMessage) => void): void {
    this.#own.onmessage = (event) => {
      const { connection, message } = (event as { readonly data: Posted }).data;
      receive(connection, message);
    };
    this.#own.unref();
  }

  close(): void {
    this.#own.close();
    for (const channel of this.#others.values()) channel.close();
  }

  #open(worker: number): BroadcastChannel {
    const channel = new BroadcastChannel(`${this.#name}-${worker}`);
    channel.unref();
    return channel;
  }
}
