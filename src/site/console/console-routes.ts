// The pages of the console by route.

import type { RouteHandlers } from '#site/admission.ts';

export const consoleRoutes: RouteHandlers = {};
