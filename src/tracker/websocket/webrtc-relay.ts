// Offers and answers on their way between WebSocket connections. Two connections may belong to two
// tracker threads, so a connection is named by its worker and its number there, and what goes to
// another worker is posted. What is posted to a worker that has ended is lost, as the peers are.

/** A connection of some worker. Numbers are used again only after four billion others. */
export interface WebRtcPlace {
  readonly worker: number;
  readonly connection: number;
}

/**
 * `offer` to a peer that is asked to connect, `answer` back to the one that offered, `end` back to it
 * when no answer can come. Plain data: it crosses a MessagePort.
 */
export interface WebRtcMessage {
  readonly kind: 'offer' | 'answer' | 'end';
  readonly from: WebRtcPlace;
  /** As the offering peer announced it. 20 bytes, as the next two. */
  readonly infoHash: Uint8Array;
  readonly offerId: Uint8Array;
  /** Of the peer that sends. */
  readonly peerId: Uint8Array;
  /** The offer or answer, a JSON object; empty for `end`. The receiver copies what it keeps. */
  readonly description: Uint8Array;
}

export interface WebRtcRelay {
  /** This worker's number, 0 to 65,535. */
  readonly worker: number;
  /** Never called for this worker itself. The message is nobody else's: it may be posted as it is. */
  sendTo(to: WebRtcPlace, message: WebRtcMessage): void;
  /** Called once, before anything is received. */
  onMessage(receive: (connection: number, message: WebRtcMessage) => void): void;
}
