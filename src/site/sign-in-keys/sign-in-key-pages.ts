// Making, listing and using keys of devices. Each ceremony is two plain forms: the first makes a
// challenge and a step (second-factor/sign-in-steps.ts), the second carries what the device answered.
// The challenge is the step's token in another dress, so that it is used once and by the browser that asked.

import { createHash } from 'node:crypto';
import { utf8 } from '#base/bytes.ts';
import type { Errors } from '#site/accounts/entry-views.ts';
import { findMemberById } from '#site/accounts/members.ts';
import { proveMember } from '#site/accounts/prove-member.ts';
import { signIn } from '#site/accounts/sign-in.ts';
import type { RouteHandlers } from '#site/admission.ts';
import { tooMany } from '#site/error-pages.ts';
import { addressKey } from '#site/rate-limit.ts';
import { href } from '#site/routes.ts';
import {
  beginStep,
  endStep,
  findStep,
  STEP_SECONDS,
  type Step,
  type StepPurpose,
} from '#site/second-factor/sign-in-steps.ts';
import { localPath, type Visit } from '#site/visit.ts';
import { ceremonyMain, keysMain, type MakeKey, type UseKey } from './sign-in-key-views.ts';
import { addSignInKey, listSignInKeys, memberOfUse, removeSignInKey } from './sign-in-keys.ts';
import { type Asked, KEY_ALGORITHMS, type RelyingParty, readNewKey } from './webauthn.ts';

export const signInKeyRoutes: RouteHandlers = {
  signInKeys: { GET: showKeys, POST: postAsk },
  signInKeyMade: { POST: postMade },
  signInKeyRemove: { POST: postRemove },
  signInByKey: { GET: showUse, POST: postUse },
};

async function showKeys(visit: Visit): Promise<Response> {
  return await keysPage(visit, { label: '', errors: {} });
}

/** The password, and a name for the key; then the page on which the device is asked. */
async function postAsk(visit: Visit): Promise<Response> {
  const { parts, form } = visit;
  const { memberId, name } = visit.signedIn();
  const label = form.text('label').slice(0, 200);
  const unproven = await proveMember(visit);
  if (unproven !== undefined) {
    const errors = { [unproven.field ?? 'current']: unproven.message };
    return await keysPage(visit, { label, errors });
  }
  const token = await beginStep(parts, { purpose: 'key-add', memberId, detail: label, next: '' });
  const known = await listSignInKeys(parts.sql, memberId);
  const asked: MakeKey = {
    deed: 'make',
    challenge: challengeOf(token),
    party: partyOf(visit).id,
    site: visit.settings.siteName,
    name,
    user: Buffer.from(`member-${memberId}`).toString('base64url'),
    algorithms: KEY_ALGORITHMS,
    known: known.map((key) => key.credential),
  };
  return await ceremonyPage(visit, token, asked);
}

async function postMade(visit: Visit): Promise<Response> {
  const { parts, form } = visit;
  const { memberId } = visit.signedIn();
  const step = await takeStep(visit, 'key-add');
  const key =
    step?.memberId === memberId
      ? readNewKey(askedOf(visit, step), {
          credential: form.text('credential'),
          clientData: form.text('clientData'),
          authData: form.text('authData'),
          publicKey: form.text('publicKey'),
          algorithm: form.text('algorithm'),
        })
      : undefined;
  if (step === undefined || key === undefined) {
    const text =
      'The device’s answer does not belong to what was asked, or came too late. Try again.';
    return visit.redirect(href('signInKeys'), { kind: 'bad', text });
  }
  const refused = await addSignInKey(parts, memberId, { key, label: step.detail });
  if (refused !== undefined) {
    return visit.redirect(href('signInKeys'), { kind: 'bad', text: refused.message });
  }
  parts.logger.info('A sign-in key was added', { memberId });
  const text = 'The key is there: the next time you can sign in with it alone.';
  return visit.redirect(href('signInKeys'), { kind: 'good', text });
}

async function postRemove(visit: Visit): Promise<Response> {
  const { memberId } = visit.signedIn();
  const id = visit.numberParam('id');
  const done = id !== undefined && (await removeSignInKey(visit.parts.sql, memberId, id));
  if (!done) return await visit.notFound('This key was removed already.');
  const text = 'The key is removed: it signs nobody in any more.';
  return visit.redirect(href('signInKeys'), { kind: 'good', text });
}

async function showUse(visit: Visit): Promise<Response> {
  const next = localPath(visit.query('next')) ?? '';
  if (visit.viewer !== undefined) return visit.redirect(next === '' ? href('torrents') : next);
  const token = await beginStep(visit.parts, { purpose: 'key-sign-in', memberId: undefined, next });
  const asked: UseKey = {
    deed: 'use',
    challenge: challengeOf(token),
    party: partyOf(visit).id,
  };
  return await ceremonyPage(visit, token, asked);
}

async function postUse(visit: Visit): Promise<Response> {
  const { parts, form } = visit;
  const address = addressKey(visit.address);
  const waitMs = parts.limits.signInAddress.take(address);
  if (waitMs > 0) return await visit.error(tooMany(waitMs));
  const step = await takeStep(visit, 'key-sign-in');
  const answer = {
    credential: form.text('credential'),
    clientData: form.text('clientData'),
    authData: form.text('authData'),
    signature: form.text('signature'),
  };
  const memberId =
    step === undefined ? undefined : await memberOfUse(parts, askedOf(visit, step), answer);
  const member = memberId === undefined ? undefined : await findMemberById(parts.sql, memberId);
  if (step === undefined || member === undefined || member.state === 'removed') {
    const text = 'This key does not open this site, or the answer came too late.';
    return visit.redirect(href('signIn'), { kind: 'bad', text });
  }
  parts.limits.signInAddress.giveBack(address);
  if (member.state !== 'active') {
    const text = `This account is banned: ${member.reason}.`;
    return visit.redirect(href('signIn'), { kind: 'bad', text });
  }
  await signIn(visit, member.id);
  return visit.redirect(step.next === '' ? href('torrents') : step.next);
}

/** Used by being taken. */
async function takeStep(visit: Visit, purpose: StepPurpose): Promise<Step | undefined> {
  const step = await findStep(visit.parts, visit.cookies.get('step'), purpose);
  visit.cookies.remove('step');
  return step !== undefined && (await endStep(visit.parts, step)) ? step : undefined;
}

function askedOf(visit: Visit, { token }: Step): Asked {
  return { ...partyOf(visit), challenge: challengeOf(token) };
}

function challengeOf(token: string): string {
  return createHash('sha256')
    .update(utf8(`challenge ${token}`))
    .digest('base64url');
}

/** The public address where the visitor came by it, else the host that they asked. */
function partyOf(visit: Visit): RelyingParty {
  const { siteUrl } = visit.addresses;
  const host = visit.header('host');
  const asked = URL.canParse(`http://${host}`) ? `http://${host}` : siteUrl;
  const url = new URL(URL.canParse(siteUrl) && new URL(siteUrl).host === host ? siteUrl : asked);
  return { id: url.hostname, origin: url.origin };
}

async function ceremonyPage(
  visit: Visit,
  token: string,
  asked: MakeKey | UseKey,
): Promise<Response> {
  visit.cookies.set('step', token, STEP_SECONDS);
  const main = ceremonyMain(visit.csrfToken, asked);
  const title = asked.deed === 'make' ? 'Make a key' : 'Sign in with a key';
  return await visit.page({
    title,
    main,
    script: 'sign-in-key.js',
    section: asked.deed === 'make' ? 'me' : 'none',
  });
}

async function keysPage(
  visit: Visit,
  form: { readonly label: string; readonly errors: Errors },
): Promise<Response> {
  const { memberId } = visit.signedIn();
  const main = keysMain({
    csrf: visit.csrfToken,
    keys: await listSignInKeys(visit.parts.sql, memberId),
    nowMs: visit.nowMs,
    ...form,
  });
  const status = Object.keys(form.errors).length === 0 ? 200 : 422;
  return await visit.page({ title: 'Sign-in keys', main, section: 'me', status });
}
