// The moderators' pages by route, but for reports and the staff log, which have folders of their own.

import type { RouteHandlers } from '#site/admission.ts';
import { postNote, postWarning, postWithdraw, showModeration } from './member-moderation-pages.ts';
import { postNetwork, postNetworkEnd, showNetworkEnd, showNetworks } from './network-pages.ts';

export const moderationRoutes: RouteHandlers = {
  consoleModeration: { GET: showModeration },
  consoleWarning: { POST: postWarning },
  consoleWarningWithdraw: { POST: postWithdraw },
  consoleNote: { POST: postNote },
  consoleNetworks: { GET: showNetworks, POST: postNetwork },
  consoleNetworkEnd: { GET: showNetworkEnd, POST: postNetworkEnd },
};
