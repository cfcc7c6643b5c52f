// Who may do what, in one place. A route names the permission that each of its methods demands; a
// role is a set of permissions. The router (site.ts) asks this table before a handler runs or a body
// is read, and a route that does not stand here cannot be registered. What depends on whose thing it
// is (one's own sessions, one's own uploads) is asked by the model, which takes the member's id.

import type { RouteName } from './routes.ts';

/** What each permission is for, as printed in docs/generated/permissions.md. */
export const PERMISSIONS = {
  anyone: 'Open to everybody, signed in or not.',
  account: "One's own account: profile, password, passkey, sessions.",
  browse: 'See torrents and members.',
  download: 'Take .torrent files, and what the archive keeps.',
  upload: 'Add torrents, and remove the ones added.',
  invite: 'Make and revoke invites.',
  share: 'Let people without an account take what the archive keeps, by a link.',
  store:
    'Use the blob store directly at /api/store, by session or token: put, get, list and remove any blob; and upload content into the archive.',
  administer: 'Run the community: members, settings, status.',
} as const;

export type Permission = keyof typeof PERMISSIONS;

export const ROLES = ['admin', 'member'] as const;
export type Role = (typeof ROLES)[number];
/** A visitor who is not signed in counts as a role of its own. */
export type RoleOrVisitor = Role | 'visitor';

const MEMBER = ['anyone', 'account', 'browse', 'download', 'upload', 'invite', 'share'] as const;

const ROLE_PERMISSIONS: Readonly<Record<RoleOrVisitor, readonly Permission[]>> = {
  admin: [...MEMBER, 'store', 'administer'],
  member: MEMBER,
  visitor: ['anyone'],
};

export type Method = 'GET' | 'POST';

export interface RouteRule {
  readonly GET?: Permission;
  readonly POST?: Permission;
  /** The POST carries a file, bounded by `site.torrentBytesMax`. */
  readonly upload?: true;
  /** What it carries is content, bounded by `site.formContentBytesMax`. */
  readonly content?: true;
  /** Takes a torrent file apart, which costs so much memory that one at a time does. */
  readonly parses?: true;
}

/** A method that is not named is answered 405. */
export const ROUTE_RULES: Readonly<Record<RouteName, RouteRule>> = {
  home: { GET: 'anyone' },
  assets: { GET: 'anyone' },
  theme: { POST: 'anyone' },
  firstRun: { GET: 'anyone', POST: 'anyone' },
  signIn: { GET: 'anyone', POST: 'anyone' },
  signOut: { POST: 'account' },
  signUp: { GET: 'anyone', POST: 'anyone' },
  join: { GET: 'anyone', POST: 'anyone' },

  me: { GET: 'account' },
  password: { GET: 'account', POST: 'account' },
  passkeyReset: { GET: 'account', POST: 'account' },
  sessions: { GET: 'account' },
  sessionRevoke: { POST: 'account' },
  sessionsRevokeAll: { GET: 'account', POST: 'account' },
  invites: { GET: 'invite', POST: 'invite' },
  inviteRevoke: { POST: 'invite' },
  portTest: { GET: 'account', POST: 'account' },
  downloadKeys: { GET: 'account' },
  downloadKeyRevoke: { POST: 'account' },
  bonus: { GET: 'account', POST: 'account' },
  shares: { GET: 'share' },
  shareRevoke: { POST: 'share' },
  webDav: { GET: 'account' },
  notices: { GET: 'account', POST: 'account' },
  myData: { GET: 'account' },
  myDataExport: { GET: 'account' },
  accountErase: { GET: 'account', POST: 'account' },

  members: { GET: 'browse' },
  member: { GET: 'browse' },

  torrents: { GET: 'browse' },
  torrent: { GET: 'browse' },
  torrentDownload: { GET: 'download' },
  torrentFiles: { GET: 'browse' },
  torrentShare: { GET: 'share', POST: 'share' },
  torrentPreview: { GET: 'browse' },
  torrentContent: { GET: 'download' },
  torrentEdit: { GET: 'upload', POST: 'upload' },
  torrentRemove: { GET: 'upload', POST: 'upload' },
  torrentCredit: { GET: 'administer', POST: 'administer' },
  torrentExempt: { POST: 'administer' },
  torrentToken: { GET: 'download', POST: 'download' },
  contribute: { GET: 'store', POST: 'store', upload: true, content: true },
  upload: { GET: 'upload', POST: 'upload', upload: true, parses: true },
  uploadDraft: { GET: 'upload', POST: 'upload', parses: true },
  uploadDiscard: { POST: 'upload' },

  share: { GET: 'anyone', POST: 'anyone' },
  shareContent: { GET: 'anyone' },

  console: { GET: 'administer' },
  consoleMember: { GET: 'administer' },
  consoleMemberRole: { POST: 'administer' },
  consoleMemberBan: { GET: 'administer', POST: 'administer' },
  consoleMemberUnban: { POST: 'administer' },
  consoleMemberProtect: { POST: 'administer' },
  consoleSettings: { GET: 'administer', POST: 'administer' },
  consoleJobs: { GET: 'administer' },
  consoleJob: { GET: 'administer', POST: 'administer' },
  consoleCredit: { GET: 'administer', POST: 'administer' },
  consoleCreditEnd: { POST: 'administer' },
  consoleTokens: { POST: 'administer' },
  consoleTransfers: { GET: 'administer' },
  transferEvents: { GET: 'administer' },
  consoleShares: { GET: 'administer' },
  consoleShareRevoke: { POST: 'administer' },
  consoleSignals: { GET: 'administer' },
  consoleSignalDismiss: { POST: 'administer' },
  consoleClasses: { GET: 'administer', POST: 'administer' },
  consoleClassesTry: { POST: 'administer' },
  consoleRules: { GET: 'administer', POST: 'administer' },
  consoleRulesTry: { POST: 'administer' },
  consoleRulesReset: { GET: 'administer', POST: 'administer' },
};

export function roleMay(role: RoleOrVisitor, permission: Permission): boolean {
  return ROLE_PERMISSIONS[role].includes(permission);
}

export function isRole(text: string): text is Role {
  return ROLES.some((role) => role === text);
}
