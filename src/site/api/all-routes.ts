// Every route of the API.

import type { ApiRoute } from './api-route.ts';
import { openApiRoute } from './openapi-route.ts';
import { accessRoutes } from './routes/access-routes.ts';
import { accountRoutes } from './routes/account-routes.ts';
import { archiveRoutes } from './routes/archive-routes.ts';
import { collectionRoutes } from './routes/collection-routes.ts';
import { communityRoutes } from './routes/community-routes.ts';
import { consoleMemberRoutes } from './routes/console-member-routes.ts';
import { consoleRoutes } from './routes/console-routes.ts';
import { coverRoutes } from './routes/cover-routes.ts';
import { deskRoutes } from './routes/desk-routes.ts';
import { fileRoutes } from './routes/file-routes.ts';
import { historyRoutes } from './routes/history-routes.ts';
import { inviteRoutes } from './routes/invite-routes.ts';
import { machineRoutes } from './routes/machine-routes.ts';
import { meRoutes } from './routes/me-routes.ts';
import { memberRoutes } from './routes/member-routes.ts';
import { moderationRoutes } from './routes/moderation-routes.ts';
import { requestRoutes } from './routes/request-routes.ts';
import { creditRoutes, ruleRoutes } from './routes/rule-routes.ts';
import { shareRoutes } from './routes/share-routes.ts';
import { staffRoutes } from './routes/staff-routes.ts';
import { torrentRoutes } from './routes/torrent-routes.ts';
import { uploadRoutes } from './routes/upload-routes.ts';

const DESCRIBED: readonly ApiRoute[] = [
  ...torrentRoutes,
  ...fileRoutes,
  ...historyRoutes,
  ...coverRoutes,
  ...uploadRoutes,
  ...archiveRoutes,
  ...meRoutes,
  ...accountRoutes,
  ...shareRoutes,
  ...memberRoutes,
  ...inviteRoutes,
  ...communityRoutes,
  ...collectionRoutes,
  ...requestRoutes,
  ...moderationRoutes,
  ...staffRoutes,
  ...consoleRoutes,
  ...deskRoutes,
  ...machineRoutes,
  ...consoleMemberRoutes,
  ...accessRoutes,
  ...ruleRoutes,
  ...creditRoutes,
];

export const API_ROUTES: readonly ApiRoute[] = [...DESCRIBED, openApiRoute(DESCRIBED)];
