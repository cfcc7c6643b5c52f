// The pages of accounts by route.

import type { RouteHandlers } from '#site/admission.ts';

export const accountRoutes: RouteHandlers = {};
