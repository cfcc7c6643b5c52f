// What a web page reads when the WebSocket door refuses a message, or warns.

import { newRefusal, type Refusal } from '#tracker/refusals.ts';
import { WS_MESSAGE_REFUSAL_WORDS, type WsMessageRefusal } from '#wire/ws-message.ts';

type FormRefusal = Exclude<WsMessageRefusal, 'none'>;

export const WS_REFUSALS = {
  ...formRefusals(),
  uploaded: newRefusal('request-invalid', 'uploaded is missing'),
  downloaded: newRefusal('request-invalid', 'downloaded is missing'),
  secondPeerId: newRefusal(
    'request-invalid',
    'this connection announced the torrent with another peer_id: open one connection for each',
  ),
  torrentsMany: newRefusal('request-invalid', 'too many torrents on one connection'),
  busy: newRefusal('request-invalid', 'the tracker is busy: try again'),
  offersUnderWay: newRefusal(
    'request-invalid',
    'the offers of your last announce are still under way, so these were not passed on',
  ),
};

function formRefusals(): Readonly<Record<FormRefusal, Refusal>> {
  const entries = Object.entries(WS_MESSAGE_REFUSAL_WORDS).map(
    ([code, words]) => [code, newRefusal('request-invalid', words)] as const,
  );
  return Object.fromEntries(entries) as Record<FormRefusal, Refusal>;
}
