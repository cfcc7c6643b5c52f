// What the staff do by the API, as the staff log tells it: under the name of the page that does the same.

import type { RouteName } from '#site/routes.ts';
import { type Deed, isStaffDeed } from '#site/staff-log/staff-deeds.ts';
import type { ApiRoute, RawCall } from './api-route.ts';

export function isApiDeed(route: ApiRoute): boolean {
  return route.method !== 'GET' && isStaffDeed(pageOf(route), route.permission);
}

export function apiDeed(route: ApiRoute, { json, query }: RawCall): Deed {
  const body = typeof json === 'object' && json !== null ? Object.entries(json) : [];
  const fields = [...Object.entries(query), ...body].map(([name, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return [name, text] as const;
  });
  return { action: pageOf(route), path: route.path, fields };
}

/** What no page does is told under the route's own name. */
function pageOf({ pages, name }: ApiRoute): RouteName {
  const deed = pages.find((one) => one.startsWith('POST ')) ?? `POST ${name}`;
  return deed.slice('POST '.length) as RouteName;
}
