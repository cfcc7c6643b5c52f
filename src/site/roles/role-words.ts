// How pages call a role.

import type { Role } from '#site/permissions.ts';

/** `film-editor` is written "Film editor". */
export function roleLabel(role: Role): string {
  const words = role.replaceAll('-', ' ');
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}
