// The pages of the console by route.

import type { RouteHandlers } from '#site/admission.ts';
import { showArchive } from './archive-pages.ts';
import { postCategories, showCategories } from './category-pages.ts';
import { postClients, showClients } from './client-pages.ts';
import {
  postBan,
  postProtect,
  postRole,
  postSettings,
  postUnban,
  showBan,
  showConsoleMember,
  showSettings,
  showStatus,
} from './console-handlers.ts';
import { postJob, showJob, showJobs } from './job-handlers.ts';
import { showLog } from './log-pages.ts';
import {
  postRules,
  postRulesReset,
  postRulesTry,
  showRules,
  showRulesReset,
} from './rule-handlers.ts';

export const consoleRoutes: RouteHandlers = {
  console: { GET: showStatus },
  consoleCategories: { GET: showCategories, POST: postCategories },
  consoleClients: { GET: showClients, POST: postClients },
  consoleLog: { GET: showLog },
  consoleArchive: { GET: showArchive },
  consoleJobs: { GET: showJobs },
  consoleJob: { GET: showJob, POST: postJob },
  consoleRules: { GET: showRules, POST: postRules },
  consoleRulesTry: { POST: postRulesTry },
  consoleRulesReset: { GET: showRulesReset, POST: postRulesReset },
  consoleSettings: { GET: showSettings, POST: postSettings },
  consoleMember: { GET: showConsoleMember },
  consoleMemberRole: { POST: postRole },
  consoleMemberBan: { GET: showBan, POST: postBan },
  consoleMemberUnban: { POST: postUnban },
  consoleMemberProtect: { POST: postProtect },
};
