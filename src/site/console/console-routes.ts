// The pages of the console by route.

import type { RouteHandlers } from '#site/admission.ts';
import {
  postBan,
  postRole,
  postSettings,
  postUnban,
  showBan,
  showConsoleMember,
  showSettings,
  showStatus,
} from './console-handlers.ts';

export const consoleRoutes: RouteHandlers = {
  console: { GET: showStatus },
  consoleSettings: { GET: showSettings, POST: postSettings },
  consoleMember: { GET: showConsoleMember },
  consoleMemberRole: { POST: postRole },
  consoleMemberBan: { GET: showBan, POST: postBan },
  consoleMemberUnban: { POST: postUnban },
};
