// Pages that no route of the API stands for, each with the reason. Every other one is named by a route
// (`pages` of its description); the test beside this file compares both with the permissions table, so
// that a new page has a route, or a reason here.

import type { RouteName } from '#site/routes.ts';

/** Why a page has none; of all its methods. */
export const PAGES_WITHOUT_API: Readonly<Partial<Record<RouteName, string>>> = {
  assets: 'Styles, scripts and icons of the pages themselves.',
  theme: 'How the pages look in one browser.',
  firstRun: 'Whoever opens the link that the server printed is there in person, once.',
  signIn:
    'Passwords and second factors are given to pages of the site alone; programs have tokens.',
  signInCode: 'Passwords and second factors are given to pages of the site alone.',
  signInByKey: 'Passwords and second factors are given to pages of the site alone.',
  forgot: 'A way back in is for a person who has no token.',
  resetPassword: 'A way back in is for a person who has no token.',
  emailConfirm: 'The link of a letter, opened by a person.',
  application: 'A person joins by themselves.',
  signUp: 'A person joins by themselves.',
  join: 'A person joins by themselves.',
  password: 'Passwords and second factors are given to pages of the site alone.',
  secondFactor: 'Changing how one proves who one is takes a proof, on pages of the site alone.',
  secondFactorConfirm:
    'Changing how one proves who one is takes a proof, on pages of the site alone.',
  secondFactorCodes:
    'Changing how one proves who one is takes a proof, on pages of the site alone.',
  secondFactorOff: 'Changing how one proves who one is takes a proof, on pages of the site alone.',
  signInKeys: 'Keys are made by the browser that will use them.',
  signInKeyMade: 'Keys are made by the browser that will use them.',
  signInKeyRemove: 'Changing how one proves who one is takes a proof, on pages of the site alone.',
  email: 'By it one comes back into the account: it takes a proof, on pages of the site alone.',
  emailRemove:
    'By it one comes back into the account: it takes a proof, on pages of the site alone.',
  accountErase: 'Asks for the password, which is given to pages of the site alone.',
  contribute:
    'Programs upload content by the store (`/api/store/uploads`, tus) and by `swarmkeep put`.',
  liveCounts: 'What an open page shows, as it changes; programs ask for the torrent.',
  feedRss: 'The key of the address is the right; readers speak RSS.',
  feedAtom: 'The key of the address is the right; readers speak Atom.',
  feedTorrent: 'The key of the address is the right; programs with a token have `getTorrentFile`.',
  torznab: 'An API of its own, for programs that speak Torznab.',
  sharePreview: 'For people without an account; the link itself is the key.',
  shareSeed: 'For people without an account; the link itself is the key.',
  share: 'For people without an account, who have no token either; the link itself is the key.',
  shareContent: 'For people without an account; the link itself is the key.',
  torrentMagnet: 'A browser gives it to a client; programs have `getTorrentFile`.',
  docs: 'Documentation is for reading; for programs there is `openapi.json`.',
  doc: 'Documentation is for reading; for programs there is `openapi.json`.',
  docInFolder: 'Documentation is for reading; for programs there is `openapi.json`.',
  docBelow: 'Documentation is for reading; for programs there is `openapi.json`.',
};
