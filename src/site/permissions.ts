// Who may do what, in one place. A route names the permission that each of its methods demands; a
// role is a set of permissions. The router (site.ts) asks this table before a handler runs or a body
// is read, and a route that does not stand here cannot be registered. What depends on whose thing it
// is (one's own sessions, one's own uploads) is asked by the model, which takes the member's id.
// Roles as the operator changed them, roles of the operator's own, and what member classes add are in
// roles/role-book.ts; here stands what each role may as shipped.

import type { RouteName } from './routes.ts';

/** What each permission is for, as printed in docs/generated/permissions.md. */
export const PERMISSIONS = {
  anyone: 'Open to everybody, signed in or not.',
  account: "One's own account: profile, password, passkey, sessions.",
  browse: 'See torrents and members.',
  download: 'Take .torrent files, and what the archive keeps.',
  upload: 'Add torrents, and remove the ones added.',
  comment: 'Write comments, and change or remove the own ones.',
  invite: 'Make and revoke invites.',
  share: 'Let people without an account take what the archive keeps, by a link.',
  store:
    'Use the blob store directly at /api/store, by session or token: put, get and list any blob, and for administrators remove it; and upload content into the archive.',
  moderate:
    'Keep order: reports, comments and torrents of others, warnings, bans of members who are not staff, sign-ups by application.',
  administer: 'Run the community: members, roles, settings, status.',
} as const;

export type Permission = keyof typeof PERMISSIONS;

/** The roles that are always there, the strongest first. */
export const ROLES = ['admin', 'moderator', 'member'] as const;
export type BuiltInRole = (typeof ROLES)[number];
/** A built-in role, or the name of one that the operator made. One that nobody made is `member`. */
export type Role = string;
const ROLE_NAME = /^[a-z][a-z0-9-]{1,31}$/;
/** A visitor who is not signed in counts as a role of its own. */
export type RoleOrVisitor = BuiltInRole | 'visitor';

/** Of everybody who is signed in, whatever the role. */
export const EVERY_MEMBER: readonly Permission[] = ['anyone', 'account'];
/** What the operator gives to roles and classes, in the order of pages. `administer` is the admins'. */
export const GIVEN_PERMISSIONS = [
  'browse',
  'download',
  'upload',
  'comment',
  'invite',
  'share',
  'store',
  'moderate',
] as const satisfies readonly Permission[];

const MEMBER: readonly Permission[] = [
  ...EVERY_MEMBER,
  'browse',
  'download',
  'upload',
  'comment',
  'invite',
  'share',
];

export const ROLE_PERMISSIONS: Readonly<Record<RoleOrVisitor, readonly Permission[]>> = {
  admin: [...MEMBER, 'store', 'moderate', 'administer'],
  moderator: [...MEMBER, 'moderate'],
  member: MEMBER,
  visitor: ['anyone'],
};

export type Method = 'GET' | 'POST';

export interface RouteRule {
  readonly GET?: Permission;
  readonly POST?: Permission;
  /** The POST carries a file, bounded by `site.torrentBytesMax`. */
  readonly upload?: true;
  /** The file is a picture, bounded by `site.coverBytesMax`. */
  readonly picture?: true;
  /** What it carries is content, bounded by `site.formContentBytesMax`. */
  readonly content?: true;
  /** Takes a torrent file or a picture apart, which costs so much memory that one at a time does. */
  readonly parses?: true;
}

/** A method that is not named is answered 405. */
export const ROUTE_RULES: Readonly<Record<RouteName, RouteRule>> = {
  home: { GET: 'anyone' },
  assets: { GET: 'anyone' },
  theme: { POST: 'anyone' },
  firstRun: { GET: 'anyone', POST: 'anyone' },
  signIn: { GET: 'anyone', POST: 'anyone' },
  signInCode: { GET: 'anyone', POST: 'anyone' },
  signInByKey: { GET: 'anyone', POST: 'anyone' },
  forgot: { GET: 'anyone', POST: 'anyone' },
  resetPassword: { GET: 'anyone', POST: 'anyone' },
  emailConfirm: { GET: 'anyone', POST: 'anyone' },
  signOut: { POST: 'account' },
  signUp: { GET: 'anyone', POST: 'anyone' },
  join: { GET: 'anyone', POST: 'anyone' },
  application: { GET: 'anyone' },

  me: { GET: 'account' },
  password: { GET: 'account', POST: 'account' },
  passkeyReset: { GET: 'account', POST: 'account' },
  sessions: { GET: 'account' },
  sessionRevoke: { POST: 'account' },
  sessionsRevokeAll: { GET: 'account', POST: 'account' },
  invites: { GET: 'invite', POST: 'invite' },
  inviteRevoke: { POST: 'invite' },
  inviteTree: { GET: 'account' },
  portTest: { GET: 'account', POST: 'account' },
  downloadKeys: { GET: 'account' },
  downloadKeyRevoke: { POST: 'account' },
  secondFactor: { GET: 'account', POST: 'account' },
  secondFactorConfirm: { POST: 'account' },
  secondFactorCodes: { POST: 'account' },
  secondFactorOff: { GET: 'account', POST: 'account' },
  signInKeys: { GET: 'account', POST: 'account' },
  signInKeyMade: { POST: 'account' },
  signInKeyRemove: { POST: 'account' },
  email: { GET: 'account', POST: 'account' },
  privacy: { GET: 'account', POST: 'account' },
  emailRemove: { POST: 'account' },
  apiTokens: { GET: 'account', POST: 'account' },
  apiTokenRemove: { GET: 'account', POST: 'account' },
  bonus: { GET: 'account', POST: 'account' },
  shares: { GET: 'share' },
  shareRevoke: { POST: 'share' },
  webDav: { GET: 'account' },
  bookmarks: { GET: 'browse' },
  feeds: { GET: 'account' },
  feedsReset: { GET: 'account', POST: 'account' },
  notices: { GET: 'account', POST: 'account' },
  myData: { GET: 'account' },
  myDataExport: { GET: 'account' },
  accountErase: { GET: 'account', POST: 'account' },

  members: { GET: 'browse' },
  member: { GET: 'browse' },

  torrents: { GET: 'browse' },
  liveCounts: { GET: 'browse' },
  searches: { GET: 'browse', POST: 'browse' },
  searchRemove: { POST: 'browse' },
  torrent: { GET: 'browse' },
  torrentDownload: { GET: 'download' },
  torrentMagnet: { GET: 'download' },
  torrentFiles: { GET: 'browse' },
  torrentHistory: { GET: 'browse' },
  torrentShare: { GET: 'share', POST: 'share' },
  torrentPreview: { GET: 'browse' },
  torrentContent: { GET: 'download' },
  torrentCover: { GET: 'browse' },
  torrentEdit: { GET: 'upload', POST: 'upload', upload: true, picture: true, parses: true },
  torrentRemove: { GET: 'upload', POST: 'upload' },
  torrentCredit: { GET: 'administer', POST: 'administer' },
  torrentExempt: { POST: 'administer' },
  torrentToken: { GET: 'download', POST: 'download' },
  contribute: { GET: 'store', POST: 'store', upload: true, content: true },
  upload: { GET: 'upload', POST: 'upload', upload: true, parses: true },
  uploadDraft: { GET: 'upload', POST: 'upload', upload: true, picture: true, parses: true },
  uploadDiscard: { POST: 'upload' },

  requests: { GET: 'browse' },
  requestNew: { GET: 'comment', POST: 'comment' },
  request: { GET: 'browse', POST: 'comment' },
  requestWithdraw: { GET: 'comment', POST: 'comment' },
  needsSeeds: { GET: 'browse' },
  collections: { GET: 'browse' },
  collectionNew: { GET: 'comment', POST: 'comment' },
  collection: { GET: 'browse' },
  collectionEdit: { GET: 'comment', POST: 'comment' },
  collectionRemove: { GET: 'comment', POST: 'comment' },
  torrentCollect: { GET: 'comment', POST: 'comment' },
  torrentBookmark: { POST: 'browse' },
  torrentThanks: { POST: 'comment' },
  comments: { POST: 'comment' },
  comment: { GET: 'comment', POST: 'comment' },
  commentRemove: { GET: 'comment', POST: 'comment' },
  commentHistory: { GET: 'browse' },
  report: { GET: 'browse', POST: 'browse' },

  feedRss: { GET: 'anyone' },
  feedAtom: { GET: 'anyone' },
  feedTorrent: { GET: 'anyone' },
  torznab: { GET: 'anyone' },

  docs: { GET: 'anyone' },
  doc: { GET: 'anyone' },
  docInFolder: { GET: 'anyone' },
  docBelow: { GET: 'anyone' },

  share: { GET: 'anyone', POST: 'anyone' },
  shareContent: { GET: 'anyone' },
  sharePreview: { GET: 'anyone' },
  shareSeed: { GET: 'anyone' },

  console: { GET: 'administer' },
  consoleMember: { GET: 'administer' },
  consoleMemberRole: { POST: 'administer' },
  consoleMemberBan: { GET: 'moderate', POST: 'moderate' },
  consoleMemberUnban: { POST: 'moderate' },
  consoleMemberProtect: { POST: 'administer' },
  consoleApplications: { GET: 'moderate' },
  consoleApplication: { GET: 'moderate', POST: 'moderate' },
  consoleMemberInvited: { GET: 'moderate' },
  consoleMemberFactor: { GET: 'administer', POST: 'administer' },
  consoleMemberReset: { GET: 'administer', POST: 'administer' },
  consoleSettings: { GET: 'administer', POST: 'administer' },
  consoleJobs: { GET: 'administer' },
  consoleJob: { GET: 'administer', POST: 'administer' },
  consoleCredit: { GET: 'administer', POST: 'administer' },
  consoleCreditEnd: { POST: 'administer' },
  consoleTokens: { POST: 'administer' },
  consoleTransfers: { GET: 'administer' },
  transferEvents: { GET: 'administer' },
  consoleKeepers: { GET: 'administer' },
  consoleShares: { GET: 'administer' },
  consoleShareRevoke: { POST: 'administer' },
  consoleSignals: { GET: 'administer' },
  consoleSignalDismiss: { POST: 'administer' },
  consoleRoles: { GET: 'administer', POST: 'administer' },
  consoleRole: { GET: 'administer', POST: 'administer' },
  consoleRoleRemove: { GET: 'administer', POST: 'administer' },
  consoleClassRights: { GET: 'administer', POST: 'administer' },
  consoleClasses: { GET: 'administer', POST: 'administer' },
  consoleClassesTry: { POST: 'administer' },
  consoleCategories: { GET: 'administer', POST: 'administer' },
  consoleTags: { GET: 'administer' },
  consoleTagChange: { GET: 'administer', POST: 'administer' },
  consoleClients: { GET: 'administer', POST: 'administer' },
  consoleLog: { GET: 'administer' },
  consoleArchive: { GET: 'administer' },
  consoleStores: { GET: 'administer' },
  consoleNodes: { GET: 'administer' },
  consoleLogging: { GET: 'administer', POST: 'administer' },
  consoleReports: { GET: 'moderate' },
  consoleReport: { GET: 'moderate', POST: 'moderate' },
  consoleNetworks: { GET: 'moderate', POST: 'moderate' },
  consoleNetworkEnd: { GET: 'moderate', POST: 'moderate' },
  consoleStaffLog: { GET: 'moderate' },
  consoleModeration: { GET: 'moderate' },
  consoleWarning: { POST: 'moderate' },
  consoleWarningWithdraw: { POST: 'moderate' },
  consoleNote: { POST: 'moderate' },
  consoleRules: { GET: 'administer', POST: 'administer' },
  consoleRulesTry: { POST: 'administer' },
  consoleRulesReset: { GET: 'administer', POST: 'administer' },
};

/** As shipped; a site's own rights stand in its role book. A role that is not here is a member's. */
export function roleMay(role: Role | 'visitor', permission: Permission): boolean {
  const known = role === 'visitor' || isBuiltInRole(role) ? role : 'member';
  return ROLE_PERMISSIONS[known].includes(permission);
}

/** Whether a role can be called so; whether there is one, the role book tells. */
export function isRole(text: string): text is Role {
  return ROLE_NAME.test(text) && text !== 'visitor';
}

export function isBuiltInRole(text: string): text is BuiltInRole {
  return ROLES.some((role) => role === text);
}

export function isPermission(text: string): text is Permission {
  return Object.hasOwn(PERMISSIONS, text);
}
