// Handlers for those who are not signed in.

import { type Addresses, checkBaseUrl, isLocalUrl, publicAddresses } from '#site/announce-urls.ts';
import { postApply, showApply } from '#site/applications/application-pages.ts';
import { tooMany } from '#site/error-pages.ts';
import { addressKey } from '#site/rate-limit.ts';
import { Refusal } from '#site/refusal.ts';
import { href, hrefTo } from '#site/routes.ts';
import { secondFactorOf } from '#site/second-factor/second-factor.ts';
import { beginStep, STEP_SECONDS } from '#site/second-factor/sign-in-steps.ts';
import { localPath, type Visit } from '#site/visit.ts';
import { authenticate } from './credentials.ts';
import {
  type Errors,
  type FirstRunValues,
  firstRunMain,
  noSignUpMain,
  signInMain,
  signUpMain,
  waitingMain,
} from './entry-views.ts';
import { completeFirstRun, isFirstRun } from './first-run.ts';
import { findInviter, signUp } from './invites.ts';
import { knownBrowserKey } from './known-browsers.ts';
import { hasAdmin } from './members.ts';
import { endSession } from './sessions.ts';
import { isSignUpOpen, type SettingsChange } from './settings.ts';
import { signIn } from './sign-in.ts';

const SITE_NAME_LENGTH_MAX = 60;

export async function home(visit: Visit): Promise<Response> {
  if (visit.viewer !== undefined) return visit.redirect(href('torrents'));
  if (!(await hasAdmin(visit.parts.sql))) {
    return await visit.page({ title: 'Not set up yet', main: waitingMain() });
  }
  return await signInPage(visit, { name: '', next: '' });
}

export async function showSignIn(visit: Visit): Promise<Response> {
  const next = localPath(visit.query('next')) ?? '';
  if (visit.viewer !== undefined) return visit.redirect(next === '' ? href('torrents') : next);
  return await signInPage(visit, { name: '', next });
}

export async function postSignIn(visit: Visit): Promise<Response> {
  const { parts, form } = visit;
  const name = form.text('name').trim().slice(0, 100);
  const next = localPath(form.text('next')) ?? '';
  const known = await knownBrowserKey(parts.sql, name, visit.cookies.get('known'));
  const buckets = [
    [parts.limits.signInAddress, addressKey(visit.address)],
    [parts.limits.signInName, known ?? `name:${name.toLowerCase()}`],
  ] as const;
  for (const [limit, key] of buckets) {
    const waitMs = limit.take(key);
    if (waitMs > 0) return await refuseAttempt(visit, waitMs);
  }
  const member = await authenticate(parts, name, form.text('password').slice(0, 1000));
  if (member === undefined) {
    const error = 'Name and password do not belong together. Check both and try again.';
    return await signInPage(visit, { name, next, error });
  }
  for (const [limit, key] of buckets) limit.giveBack(key);
  if (member.state !== 'active') {
    const error = `This account is banned: ${member.reason}.`;
    return await signInPage(visit, { name, next, error });
  }
  if ((await secondFactorOf(parts.sql, member.id)).kind === 'on') {
    const token = await beginStep(parts, { purpose: 'code', memberId: member.id, next });
    visit.cookies.set('step', token, STEP_SECONDS);
    return visit.redirect(href('signInCode'));
  }
  await signIn(visit, member.id);
  return visit.redirect(next === '' ? href('torrents') : next);
}

export async function postSignOut(visit: Visit): Promise<Response> {
  const { memberId, sessionId } = visit.signedIn();
  await endSession(visit.parts.sql, memberId, sessionId);
  visit.cookies.remove('session');
  return visit.redirect(href('signIn'), { kind: 'good', text: 'You are signed out.' });
}

export async function showSignUp(visit: Visit): Promise<Response> {
  if (visit.viewer !== undefined) return visit.redirect(href('torrents'));
  const { signUpMode, siteName } = visit.settings;
  if (signUpMode === 'application') return await showApply(visit);
  if (signUpMode !== 'open') {
    const text =
      signUpMode === 'closed'
        ? 'Sign-up is closed.'
        : 'Membership begins with an invite: ask a member for a link, then open it.';
    return await visit.page({ title: 'Sign up', main: noSignUpMain(siteName, text) });
  }
  return await signUpPage(visit, { name: '', errors: {} });
}

export async function showJoin(visit: Visit): Promise<Response> {
  if (visit.viewer !== undefined) return visit.redirect(href('torrents'));
  return await signUpPage(visit, { name: '', errors: {} });
}

/** With and without an invite: the code is in the path, or there is none. */
export async function postSignUp(visit: Visit): Promise<Response> {
  const { parts, form } = visit;
  const waitMs = parts.limits.signUpAddress.take(addressKey(visit.address));
  if (waitMs > 0) return await refuseAttempt(visit, waitMs);
  const code = visit.param('code');
  if (code === '' && visit.settings.signUpMode === 'application') return await postApply(visit);
  const name = form.text('name').trim();
  const member = await signUp(parts, {
    name,
    password: form.text('password'),
    ...(code === '' ? {} : { code }),
  });
  if (member instanceof Refusal) {
    return await signUpPage(visit, { name, errors: { [member.field ?? 'name']: member.message } });
  }
  await signIn(visit, member.id);
  const text = `Welcome, ${member.name}. This is your profile; your announce address is on it.`;
  return visit.redirect(hrefTo('member', { name: member.name }), { kind: 'good', text });
}

export async function showFirstRun(visit: Visit): Promise<Response> {
  if (!(await isFirstRun(visit.parts.sql, visit.param('token')))) return await firstRunOver(visit);
  const { listening } = visit.parts.addresses;
  const host = hostNameOf(visit);
  return await firstRunPage(visit, {
    errors: {},
    values: {
      siteName: visit.settings.siteName,
      name: '',
      publicUrl: isLocalUrl(`http://${host}`)
        ? listening.siteUrl
        : `http://${visit.header('host')}`,
      trackerHttpUrl: withHost(listening.tracker.http, host),
      trackerUdpUrl: withHost(listening.tracker.udp, host),
      trackerWsUrl: withHost(listening.tracker.ws, host),
    },
  });
}

export async function postFirstRun(visit: Visit): Promise<Response> {
  const { form, parts } = visit;
  const token = visit.param('token');
  if (!(await isFirstRun(parts.sql, token))) return await firstRunOver(visit);
  const values: FirstRunValues = {
    siteName: form.text('siteName').trim(),
    name: form.text('name').trim(),
    publicUrl: form.text('publicUrl').trim(),
    trackerHttpUrl: form.text('trackerHttpUrl').trim(),
    trackerUdpUrl: form.text('trackerUdpUrl').trim(),
    trackerWsUrl: form.text('trackerWsUrl').trim(),
  };
  const checked = checkSiteSettings(values, parts.addresses.listening);
  if ('errors' in checked) return await firstRunPage(visit, { values, errors: checked.errors });
  const member = await completeFirstRun(parts, {
    token,
    name: values.name,
    password: form.text('password'),
    settings: checked.settings,
  });
  if (member instanceof Refusal) {
    const errors = { [member.field ?? 'name']: member.message };
    return await firstRunPage(visit, { values, errors });
  }
  parts.settings.forget();
  parts.logger.info('The first run is done', { memberId: member.id });
  await signIn(visit, member.id);
  return visit.redirect(hrefTo('member', { name: member.name }), {
    kind: 'good',
    text: `${values.siteName} is open. Invite the first members from here, or upload a torrent.`,
  });
}

/**
 * The settings that first run and console have in common, or what is wrong with them. An address that
 * is listened on anyway is not kept: it may be another one after the next start.
 */
export function checkSiteSettings(
  values: {
    readonly siteName: string;
    readonly publicUrl: string;
    readonly trackerHttpUrl: string;
    readonly trackerUdpUrl: string;
    readonly trackerWsUrl?: string;
  },
  listening: Addresses,
): { readonly settings: SettingsChange } | { readonly errors: Errors } {
  const errors: Record<string, string> = {};
  if (values.siteName === '' || values.siteName.length > SITE_NAME_LENGTH_MAX) {
    errors['siteName'] = `Give the site a name of 1 to ${SITE_NAME_LENGTH_MAX} characters.`;
  }
  const { http, udp, ws } = listening.tracker;
  const known = [listening.siteUrl, http, udp, ws];
  const url = (field: keyof typeof values, schemes: readonly string[]): string => {
    const checked = checkBaseUrl(values[field] ?? '', schemes, field);
    if (typeof checked === 'string') return known.includes(checked) ? '' : checked;
    errors[field] = checked.message;
    return '';
  };
  const settings: SettingsChange = {
    siteName: values.siteName,
    publicUrl: url('publicUrl', ['https', 'http']),
    trackerHttpUrl: url('trackerHttpUrl', ['http', 'https']),
    trackerUdpUrl: url('trackerUdpUrl', ['udp']),
    ...(values.trackerWsUrl === undefined
      ? {}
      : { trackerWsUrl: url('trackerWsUrl', ['wss', 'ws']) }),
  };
  return Object.keys(errors).length > 0 ? { errors } : { settings };
}

async function refuseAttempt(visit: Visit, waitMs: number): Promise<Response> {
  const response = await visit.error(tooMany(waitMs));
  response.headers.set('retry-after', String(Math.ceil(waitMs / 1000)));
  return response;
}

async function signInPage(
  visit: Visit,
  form: { readonly name: string; readonly next: string; readonly error?: string },
): Promise<Response> {
  const { siteName } = visit.settings;
  const main = signInMain({
    ...form,
    csrf: visit.csrfToken,
    siteName,
    signUpHref: isSignUpOpen(visit.settings) ? href('signUp') : undefined,
  });
  return await visit.page({ title: 'Sign in', main, status: form.error === undefined ? 200 : 422 });
}

async function signUpPage(
  visit: Visit,
  form: { readonly name: string; readonly errors: Errors },
): Promise<Response> {
  const { siteName } = visit.settings;
  const code = visit.param('code');
  const inviter = code === '' ? undefined : await findInviter(visit.parts, code);
  if (code !== '' && inviter === undefined) {
    const text = 'This invite was used, revoked or has expired. Ask for a new one.';
    const main = noSignUpMain(siteName, text);
    return await visit.page({ title: 'Invite', main, status: 404 });
  }
  const action = code === '' ? href('signUp') : hrefTo('join', { code });
  const main = signUpMain({ ...form, csrf: visit.csrfToken, action, siteName, inviter });
  const status = Object.keys(form.errors).length === 0 ? 200 : 422;
  return await visit.page({ title: `Join ${siteName}`, main, status });
}

async function firstRunPage(
  visit: Visit,
  form: { readonly values: FirstRunValues; readonly errors: Errors },
): Promise<Response> {
  const { configured } = visit.parts.addresses;
  const effective = publicAddresses(visit.settings, visit.parts.addresses);
  const isSet = {
    site: configured.siteUrl !== '',
    http: configured.tracker.http !== '',
    udp: configured.tracker.udp !== '',
    ws: configured.tracker.ws !== '',
  };
  const values = {
    ...form.values,
    ...(isSet.site ? { publicUrl: effective.siteUrl } : {}),
    ...(isSet.http ? { trackerHttpUrl: effective.tracker.http } : {}),
    ...(isSet.udp ? { trackerUdpUrl: effective.tracker.udp } : {}),
    ...(isSet.ws ? { trackerWsUrl: effective.tracker.ws } : {}),
  };
  const action = hrefTo('firstRun', { token: visit.param('token') });
  const main = firstRunMain({
    csrf: visit.csrfToken,
    action,
    values,
    errors: form.errors,
    isSet,
    hasWs: visit.parts.addresses.listening.tracker.ws !== '',
  });
  const status = Object.keys(form.errors).length === 0 ? 200 : 422;
  return await visit.page({ title: 'Set up', main, status });
}

async function firstRunOver(visit: Visit): Promise<Response> {
  return await visit.notFound(
    'This link was used or is an old one. While there is no admin, each start of the server prints a new link.',
  );
}

/** The name by which this visitor reached the site: the tracker is most likely beside it. */
function hostNameOf(visit: Visit): string {
  const url = `http://${visit.header('host')}`;
  return URL.canParse(url) ? new URL(url).hostname : 'localhost';
}

function withHost(base: string, host: string): string {
  if (base === '' || isLocalUrl(`http://${host}`)) return base;
  return base.replace(/^(\w+:\/\/)(\[[^\]]*\]|[^:/]*)/, `$1${host}`);
}
