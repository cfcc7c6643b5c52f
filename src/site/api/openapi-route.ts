// The API's description of itself.

import { z } from 'zod';
import { type ApiRoute, apiRoute } from './api-route.ts';
import { openApiDocument } from './openapi.ts';

/** Made when it is first asked for. */
export function openApiRoute(routes: readonly ApiRoute[]): ApiRoute {
  let document: Record<string, unknown> | undefined;
  const route: ApiRoute = apiRoute(
    {
      name: 'getOpenApi',
      method: 'GET',
      path: '/openapi.json',
      tag: 'site',
      summary: 'This document.',
      permission: 'anyone',
      pages: [],
      answer: { status: 200, json: z.record(z.string(), z.unknown()) },
    },
    async () => {
      document ??= { ...openApiDocument([...routes, route]) };
      return document;
    },
  );
  return route;
}
