// The catalogue's pages by route.

import type { RouteHandlers } from '#site/admission.ts';

export const catalogueRoutes: RouteHandlers = {};
