// docs/generated/permissions.md: the table of permissions.ts for readers.

import { type Method, PERMISSIONS, ROLES, ROUTE_RULES, roleMay } from './permissions.ts';
import { ROUTES, type RouteName } from './routes.ts';

const METHODS: readonly Method[] = ['GET', 'POST'];
const COLUMNS = ['visitor', ...ROLES] as const;

/** Markdown; `madeBy` is the line that says not to edit it. */
export function permissionsPage(madeBy: string): string {
  const permissions = Object.entries(PERMISSIONS).map(([name, words]) => {
    const holders = COLUMNS.filter((role) => roleMay(role, name as keyof typeof PERMISSIONS));
    return `| \`${name}\` | ${words} | ${holders.join(', ')} |`;
  });
  const routes = (Object.keys(ROUTES) as RouteName[]).flatMap((name) =>
    METHODS.flatMap((method) => {
      const permission = ROUTE_RULES[name][method];
      if (permission === undefined) return [];
      const cells = COLUMNS.map((role) => (roleMay(role, permission) ? 'yes' : 'no'));
      return [`| ${method} | \`${ROUTES[name]}\` | \`${permission}\` | ${cells.join(' | ')} |`];
    }),
  );
  const parts = [
    '# Permissions',
    madeBy,
    'A role is a set of permissions; a route demands one for each of its methods. A visitor is whoever is not signed in. Whose thing it is (a session, an invite, an upload) is checked beside this.',
    `| permission | what it is for | who has it |\n|---|---|---|\n${permissions.join('\n')}`,
    `| method | route | permission | ${COLUMNS.join(' | ')} |\n|---|---|---|${'---|'.repeat(COLUMNS.length)}\n${routes.join('\n')}`,
  ];
  return `${parts.join('\n\n')}\n`;
}
