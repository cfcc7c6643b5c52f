// The pages of accounts by route.

import type { RouteHandlers } from '#site/admission.ts';
import {
  postApiToken,
  postApiTokenRemove,
  showApiTokenRemove,
  showApiTokens,
} from './api-token-pages.ts';
import { postDownloadKeyRevoke, showDownloadKeys } from './download-key-handlers.ts';
import {
  home,
  postFirstRun,
  postSignIn,
  postSignOut,
  postSignUp,
  showFirstRun,
  showJoin,
  showSignIn,
  showSignUp,
} from './entry-handlers.ts';
import { showInviteTree, showMemberTree } from './invite-tree-pages.ts';
import {
  postInvite,
  postInviteRevoke,
  postPassword,
  postRevokeAll,
  postSessionRevoke,
  showInvites,
  showPassword,
  showRevokeAll,
  showSessions,
} from './own-handlers.ts';
import { postPortTest, showPortTest } from './port-test-pages.ts';
import {
  postPasskeyReset,
  showMe,
  showMember,
  showMembers,
  showPasskeyReset,
} from './profile-handlers.ts';

export const accountRoutes: RouteHandlers = {
  home: { GET: home },
  firstRun: { GET: showFirstRun, POST: postFirstRun },
  signIn: { GET: showSignIn, POST: postSignIn },
  signOut: { POST: postSignOut },
  signUp: { GET: showSignUp, POST: postSignUp },
  join: { GET: showJoin, POST: postSignUp },
  me: { GET: showMe },
  password: { GET: showPassword, POST: postPassword },
  passkeyReset: { GET: showPasskeyReset, POST: postPasskeyReset },
  sessions: { GET: showSessions },
  sessionRevoke: { POST: postSessionRevoke },
  sessionsRevokeAll: { GET: showRevokeAll, POST: postRevokeAll },
  invites: { GET: showInvites, POST: postInvite },
  inviteRevoke: { POST: postInviteRevoke },
  apiTokens: { GET: showApiTokens, POST: postApiToken },
  apiTokenRemove: { GET: showApiTokenRemove, POST: postApiTokenRemove },
  inviteTree: { GET: showInviteTree },
  consoleMemberInvited: { GET: showMemberTree },
  portTest: { GET: showPortTest, POST: postPortTest },
  downloadKeys: { GET: showDownloadKeys },
  downloadKeyRevoke: { POST: postDownloadKeyRevoke },
  members: { GET: showMembers },
  member: { GET: showMember },
};
