// Every route of the site by name. Links are built by `href`, never written by hand, so that a path
// is changed in one place. What each route demands of its visitor stands in permissions.ts.

export const ROUTES = {
  home: '/',
  assets: '/assets/:hash/:file',
  theme: '/theme',
  firstRun: '/first-run/:token',
  signIn: '/sign-in',
  signOut: '/sign-out',
  signUp: '/sign-up',
  join: '/join/:code',

  me: '/me',
  password: '/me/password',
  passkeyReset: '/me/passkey/reset',
  sessions: '/me/sessions',
  sessionRevoke: '/me/sessions/:id/revoke',
  sessionsRevokeAll: '/me/sessions/revoke-all',
  invites: '/me/invites',
  inviteRevoke: '/me/invites/:id/revoke',
  portTest: '/me/port',
  downloadKeys: '/me/keys',
  downloadKeyRevoke: '/me/keys/:id/revoke',
  notices: '/me/notices',
  myData: '/me/data',
  myDataExport: '/me/data/export',
  accountErase: '/me/erase',
  bonus: '/me/bonus',
  shares: '/me/shares',
  shareRevoke: '/me/shares/:id/revoke',
  webDav: '/me/webdav',

  members: '/members',
  member: '/members/:name',

  torrents: '/torrents',
  torrent: '/torrents/:hash',
  torrentDownload: '/torrents/:hash/download',
  torrentFiles: '/torrents/:hash/files',
  torrentShare: '/torrents/:hash/share',
  torrentPreview: '/torrents/:hash/preview/:entry',
  torrentContent: '/torrents/:hash/content/:entry',
  torrentEdit: '/torrents/:hash/edit',
  torrentRemove: '/torrents/:hash/remove',
  torrentCredit: '/console/torrents/:hash/freeleech',
  torrentExempt: '/console/torrents/:hash/exempt',
  torrentToken: '/torrents/:hash/token',
  contribute: '/contribute',
  upload: '/upload',
  uploadDraft: '/upload/:draft',
  uploadDiscard: '/upload/:draft/discard',

  share: '/s/:token',
  shareContent: '/s/:token/:entry',

  console: '/console',
  consoleMember: '/console/members/:name',
  consoleMemberRole: '/console/members/:name/role',
  consoleMemberBan: '/console/members/:name/ban',
  consoleMemberUnban: '/console/members/:name/unban',
  consoleMemberProtect: '/console/members/:name/protect',
  consoleSettings: '/console/settings',
  consoleJobs: '/console/jobs',
  consoleJob: '/console/jobs/:name',
  consoleCredit: '/console/freeleech',
  consoleCreditEnd: '/console/freeleech/:id/end',
  consoleTokens: '/console/tokens',
  consoleTransfers: '/console/transfers',
  transferEvents: '/console/transfers/events',
  consoleShares: '/console/shares',
  consoleShareRevoke: '/console/shares/:id/revoke',
  consoleSignals: '/console/signals',
  consoleSignalDismiss: '/console/signals/:id/dismiss',
  consoleClasses: '/console/classes',
  consoleClassesTry: '/console/classes/try',
  consoleRules: '/console/rules',
  consoleRulesTry: '/console/rules/try',
  consoleRulesReset: '/console/rules/reset',
} as const;

export type RouteName = keyof typeof ROUTES;

type ParamsOf<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | ParamsOf<Rest>
  : Path extends `${string}:${infer Name}`
    ? Name
    : never;

export type RouteParam<Name extends RouteName> = ParamsOf<(typeof ROUTES)[Name]>;

type Query = Readonly<Record<string, string | number | undefined>>;

/** The path of a route that has no parameters. `query` leaves out what is undefined or empty. */
export function href<Name extends RouteName>(
  name: RouteParam<Name> extends never ? Name : never,
  query?: Query,
): string {
  return ROUTES[name] + queryText(query);
}

/** The path of a route with its parameters put in and escaped. */
export function hrefTo<Name extends RouteName>(
  name: Name,
  params: Readonly<Record<RouteParam<Name>, string | number>>,
  query?: Query,
): string {
  const values: Readonly<Record<string, string | number>> = params;
  const path = ROUTES[name].replaceAll(/:(\w+)/g, (_, param: string) =>
    encodeURIComponent(String(values[param] ?? '')),
  );
  return path + queryText(query);
}

function queryText(query: Query | undefined): string {
  const pairs = new URLSearchParams();
  for (const [key, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== '') pairs.append(key, String(value));
  }
  const text = pairs.toString();
  return text === '' ? '' : `?${text}`;
}
