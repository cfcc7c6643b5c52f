// The limits of the WebSocket door, from the configuration, and the room that its answers need.

import type { TrackerConfig } from '#tracker/config.ts';
import { wsRelayBytesMax, wsScrapeBytesMax, wsTextBytesMax } from '#wire/ws-answer.ts';
import { WS_CONTROL_BYTES_MAX } from '#wire/ws-frame.ts';
import type { WsMessageLimits } from '#wire/ws-message.ts';

/** Refusals and warnings are shorter. */
const TEXT_BYTES_MAX = 1024;

export interface WsLimits extends WsMessageLimits {
  readonly connectionsMax: number;
  readonly idleMsMax: number;
  readonly pingIntervalMs: number;
  readonly messageBytesMax: number;
  readonly torrentsMax: number;
  /** Offers that one connection was given and has not answered. */
  readonly askedMax: number;
  readonly offerMsMax: number;
}

export function wsLimits(config: TrackerConfig): WsLimits {
  return {
    connectionsMax: config.webSocketConnectionsMax,
    idleMsMax: config.webSocketIdleMsMax,
    pingIntervalMs: config.webSocketPingIntervalMs,
    messageBytesMax: config.webSocketMessageBytesMax,
    offersMax: config.webSocketOffersMax,
    hashesMax: config.webSocketScrapeHashesMax,
    offerBytesMax: config.webSocketOfferBytesMax,
    torrentsMax: config.webSocketTorrentsMax,
    askedMax: config.webSocketOffersUnansweredMax,
    offerMsMax: config.webSocketOfferMsMax,
  };
}

/** A connection's output has room for this before a message is read from it. */
export function wsRoomBytes(limits: WsLimits): number {
  return Math.max(
    wsTextBytesMax(TEXT_BYTES_MAX),
    wsScrapeBytesMax(limits.hashesMax),
    WS_CONTROL_BYTES_MAX + 2,
  );
}

/** What a connection's output holds, so that an answer and an offer can wait behind each other. */
export function wsOutputBytesMin(limits: WsLimits): number {
  return wsRoomBytes(limits) + 2 * wsRelayBytesMax(limits.offerBytesMax);
}
