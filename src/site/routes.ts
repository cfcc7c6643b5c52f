// Every route of the site by name. Links are built by `href`, never written by hand, so that a path
// is changed in one place. What each route demands of its visitor stands in permissions.ts.

export const ROUTES = {
  home: '/',
  assets: '/assets/:hash/:file',
  theme: '/theme',
  firstRun: '/first-run/:token',
  signIn: '/sign-in',
  signInCode: '/sign-in/code',
  signInByKey: '/sign-in/key',
  forgot: '/sign-in/forgotten',
  resetPassword: '/reset/:token',
  emailConfirm: '/confirm/:token',
  signOut: '/sign-out',
  signUp: '/sign-up',
  join: '/join/:code',
  application: '/application/:token',

  me: '/me',
  password: '/me/password',
  passkeyReset: '/me/passkey/reset',
  sessions: '/me/sessions',
  sessionRevoke: '/me/sessions/:id/revoke',
  sessionsRevokeAll: '/me/sessions/revoke-all',
  invites: '/me/invites',
  inviteRevoke: '/me/invites/:id/revoke',
  inviteTree: '/me/invites/tree',
  portTest: '/me/port',
  downloadKeys: '/me/keys',
  downloadKeyRevoke: '/me/keys/:id/revoke',
  secondFactor: '/me/second-factor',
  secondFactorConfirm: '/me/second-factor/confirm',
  secondFactorCodes: '/me/second-factor/codes',
  secondFactorOff: '/me/second-factor/off',
  signInKeys: '/me/sign-in-keys',
  signInKeyMade: '/me/sign-in-keys/made',
  signInKeyRemove: '/me/sign-in-keys/:id/remove',
  email: '/me/email',
  privacy: '/me/privacy',
  emailRemove: '/me/email/remove',
  apiTokens: '/me/tokens',
  apiTokenRemove: '/me/tokens/:id/remove',
  notices: '/me/notices',
  myData: '/me/data',
  myDataExport: '/me/data/export',
  accountErase: '/me/erase',
  bonus: '/me/bonus',
  shares: '/me/shares',
  shareRevoke: '/me/shares/:id/revoke',
  webDav: '/me/webdav',
  bookmarks: '/me/bookmarks',
  feeds: '/me/feeds',
  feedsReset: '/me/feeds/reset',

  members: '/members',
  member: '/members/:name',

  torrents: '/torrents',
  liveCounts: '/live/counts',
  searches: '/me/searches',
  searchRemove: '/me/searches/:id/remove',
  torrent: '/torrents/:hash',
  torrentDownload: '/torrents/:hash/download',
  torrentMagnet: '/torrents/:hash/magnet',
  torrentFiles: '/torrents/:hash/files',
  torrentHistory: '/torrents/:hash/history',
  torrentShare: '/torrents/:hash/share',
  torrentPreview: '/torrents/:hash/preview/:entry',
  torrentContent: '/torrents/:hash/content/:entry',
  torrentCover: '/torrents/:hash/cover',
  torrentEdit: '/torrents/:hash/edit',
  torrentRemove: '/torrents/:hash/remove',
  torrentCredit: '/console/torrents/:hash/freeleech',
  torrentExempt: '/console/torrents/:hash/exempt',
  torrentToken: '/torrents/:hash/token',
  contribute: '/contribute',
  upload: '/upload',
  uploadDraft: '/upload/:draft',
  uploadDiscard: '/upload/:draft/discard',

  requests: '/requests',
  requestNew: '/requests/new',
  request: '/requests/:id',
  requestWithdraw: '/requests/:id/withdraw',
  needsSeeds: '/needs-seeds',
  collections: '/collections',
  collectionNew: '/collections/new',
  collection: '/collections/:id',
  collectionEdit: '/collections/:id/edit',
  collectionRemove: '/collections/:id/remove',
  torrentCollect: '/torrents/:hash/collect',
  torrentBookmark: '/torrents/:hash/bookmark',
  torrentThanks: '/torrents/:hash/thanks',
  comments: '/torrents/:hash/comments',
  comment: '/comments/:id',
  commentRemove: '/comments/:id/remove',
  commentHistory: '/comments/:id/history',
  report: '/report/:kind/:id',

  feedRss: '/feeds/:key/rss',
  feedAtom: '/feeds/:key/atom',
  feedTorrent: '/feeds/:key/torrents/:hash',
  torznab: '/torznab/api',

  docs: '/docs',
  doc: '/docs/:one',
  docInFolder: '/docs/:one/:two',
  docBelow: '/docs/:one/:two/:three',

  share: '/s/:token',
  shareContent: '/s/:token/:entry',
  sharePreview: '/s/:token/preview/:entry',
  shareSeed: '/s/:token/seed/:entry/*',

  console: '/console',
  consoleMember: '/console/members/:name',
  consoleMemberRole: '/console/members/:name/role',
  consoleMemberBan: '/console/members/:name/ban',
  consoleMemberUnban: '/console/members/:name/unban',
  consoleMemberProtect: '/console/members/:name/protect',
  consoleApplications: '/console/applications',
  consoleApplication: '/console/applications/:id',
  consoleMemberInvited: '/console/members/:name/invited',
  consoleMemberFactor: '/console/members/:name/second-factor',
  consoleMemberReset: '/console/members/:name/reset',
  consoleSettings: '/console/settings',
  consoleJobs: '/console/jobs',
  consoleJob: '/console/jobs/:name',
  consoleCredit: '/console/freeleech',
  consoleCreditEnd: '/console/freeleech/:id/end',
  consoleTokens: '/console/tokens',
  consoleTransfers: '/console/transfers',
  transferEvents: '/console/transfers/events',
  consoleKeepers: '/console/keepers',
  consoleShares: '/console/shares',
  consoleShareRevoke: '/console/shares/:id/revoke',
  consoleSignals: '/console/signals',
  consoleSignalDismiss: '/console/signals/:id/dismiss',
  consoleRoles: '/console/roles',
  consoleRole: '/console/roles/:role',
  consoleRoleRemove: '/console/roles/:role/remove',
  consoleClassRights: '/console/class-rights/:place',
  consoleClasses: '/console/classes',
  consoleClassesTry: '/console/classes/try',
  consoleCategories: '/console/categories',
  consoleTags: '/console/tags',
  consoleTagChange: '/console/tags/change',
  consoleClients: '/console/clients',
  consoleLog: '/console/log',
  consoleArchive: '/console/archive',
  consoleStores: '/console/stores',
  consoleNodes: '/console/nodes',
  consoleLogging: '/console/logging',
  consoleReports: '/console/reports',
  consoleReport: '/console/reports/:id',
  consoleNetworks: '/console/networks',
  consoleNetworkEnd: '/console/networks/:id/end',
  consoleStaffLog: '/console/staff-log',
  consoleModeration: '/console/members/:name/moderation',
  consoleWarning: '/console/members/:name/moderation/warn',
  consoleWarningWithdraw: '/console/members/:name/moderation/warnings/:id/withdraw',
  consoleNote: '/console/members/:name/moderation/note',
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
  let path = '';
  for (const [at, part] of partsOf(name).entries()) {
    path += at % 2 === 0 ? part : encodeURIComponent(String(values[part] ?? ''));
  }
  return path + queryText(query);
}

/** The path of each route between the names of its parameters, in turn. */
const PARTS = new Map<RouteName, readonly string[]>();

function partsOf(name: RouteName): readonly string[] {
  let parts = PARTS.get(name);
  if (parts === undefined) {
    parts = ROUTES[name].split(/:(\w+)/);
    PARTS.set(name, parts);
  }
  return parts;
}

function queryText(query: Query | undefined): string {
  if (query === undefined) return '';
  const pairs = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') pairs.append(key, String(value));
  }
  const text = pairs.toString();
  return text === '' ? '' : `?${text}`;
}
