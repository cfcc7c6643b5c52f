// Handlers of the operator's pages. The permission table lets in admins only.

import { checkSiteSettings } from '#site/accounts/entry-handlers.ts';
import type { Errors } from '#site/accounts/entry-views.ts';
import { countMembers, findMember, findMemberById, type Member } from '#site/accounts/members.ts';
import { FORM_SETTINGS, oneOf, SIGN_UP_MODES, TRACKER_MODES } from '#site/accounts/settings.ts';
import { listTorrents } from '#site/catalogue/torrent-list.ts';
import { readUtc } from '#site/credit/credit-form.ts';
import { Refusal } from '#site/refusal.ts';
import { roleLabel } from '#site/roles/role-words.ts';
import { href, hrefTo } from '#site/routes.ts';
import { healthHistory } from '#site/series/series-panels.ts';
import type { Shown } from '#site/shown.ts';
import type { Visit } from '#site/visit.ts';
import {
  banMain,
  consoleMemberMain,
  type SettingsValues,
  settingsMain,
  statusMain,
} from './console-views.ts';
import { banByStaff, changeRole, protectByStaff, unbanByStaff } from './member-deeds.ts';

export async function showStatus(visit: Visit): Promise<Response> {
  const { parts } = visit;
  const main = statusMain({
    status: await parts.status(),
    members: await countMembers(parts.sql),
    torrents: (await listTorrents(parts.sql, { words: '', tags: [], rowsMax: 1 })).total,
    addresses: visit.addresses,
    health: await healthHistory(parts.sql, visit.nowMs),
    nowMs: visit.nowMs,
  });
  return await visit.page({ title: 'Status', main, section: 'console' });
}

export async function showSettings(visit: Visit): Promise<Response> {
  return await settingsPage(visit, visit.settings, {});
}

export async function postSettings(visit: Visit): Promise<Response> {
  const { form, parts, settings } = visit;
  const signUpMode = oneOf(SIGN_UP_MODES, form.text('signUpMode'));
  const mode = form.text('trackerMode');
  const trackerMode = mode === '' ? '' : oneOf(TRACKER_MODES, mode);
  const { configured, listening } = parts.addresses;
  // An address that the configuration sets is not in the form; what was stored stays.
  const address = (
    name: 'publicUrl' | 'trackerHttpUrl' | 'trackerUdpUrl' | 'trackerWsUrl',
    fixed: string,
  ): string => (fixed === '' ? form.text(name).trim() : settings[name]);
  const values: SettingsValues = {
    siteName: form.text('siteName').trim(),
    signUpMode: signUpMode ?? settings.signUpMode,
    trackerMode: trackerMode ?? settings.trackerMode,
    publicUrl: address('publicUrl', configured.siteUrl),
    trackerHttpUrl: address('trackerHttpUrl', configured.tracker.http),
    trackerUdpUrl: address('trackerUdpUrl', configured.tracker.udp),
    trackerWsUrl:
      listening.tracker.ws === ''
        ? settings.trackerWsUrl
        : address('trackerWsUrl', configured.tracker.ws),
  };
  const errors = await saveSettings(visit, values, visit.shown);
  if (errors instanceof Refusal) return await settingsPage(visit, values, {}, true);
  if (Object.keys(errors).length > 0) return await settingsPage(visit, values, errors);
  return visit.redirect(href('consoleSettings'), { kind: 'good', text: 'The settings are saved.' });
}

/** What is wrong by field, or not seen: then nothing is saved. */
export async function saveSettings(
  visit: Visit,
  values: SettingsValues,
  shown: Shown,
): Promise<Errors | Refusal> {
  const { parts, settings } = visit;
  const checked = checkSiteSettings(values, parts.addresses.listening);
  if ('errors' in checked) return checked.errors;
  const isModeChanged = values.trackerMode !== settings.trackerMode;
  const change = {
    ...checked.settings,
    signUpMode: values.signUpMode,
    ...(isModeChanged ? { trackerMode: values.trackerMode } : {}),
  };
  const refused = await parts.settings.change(change, { shown, names: FORM_SETTINGS });
  if (refused !== undefined) return refused;
  parts.logger.info('Settings were changed', { memberId: visit.signedIn().memberId });
  return {};
}

async function settingsPage(
  visit: Visit,
  values: SettingsValues,
  errors: Errors,
  isLate = false,
): Promise<Response> {
  const { trackerDefaults, addresses, settings } = visit.parts;
  const main = settingsMain({
    csrf: visit.csrfToken,
    values,
    errors,
    defaults: trackerDefaults,
    known: addresses,
    now: await settings.current(),
    isLate,
  });
  const status = isLate ? 409 : Object.keys(errors).length === 0 ? 200 : 422;
  return await visit.page({ title: 'Settings', main, section: 'console', status });
}

export async function showConsoleMember(visit: Visit): Promise<Response> {
  const member = await findMember(visit.parts.sql, visit.param('name'));
  if (member === undefined) return await visit.notFound('No member has this name.');
  const inviter =
    member.invitedBy === undefined
      ? undefined
      : await findMemberById(visit.parts.sql, member.invitedBy);
  const main = consoleMemberMain({
    csrf: visit.csrfToken,
    member,
    invitedBy: inviter?.name,
    roles: (await visit.parts.roleBook.current()).roles.map((role) => role.name),
    nowMs: visit.nowMs,
    isSelf: member.id === visit.signedIn().memberId,
  });
  return await visit.page({ title: member.name, main, section: 'console' });
}

export async function postRole(visit: Visit): Promise<Response> {
  const role = visit.form.text('role');
  const name = visit.param('name');
  const changed = await changeRole(visit, name, role);
  return await answerChange(visit, changed, `${name} has the role ${roleLabel(role)} now.`);
}

export async function showBan(visit: Visit): Promise<Response> {
  return await banPage(visit, {});
}

export async function postBan(visit: Visit): Promise<Response> {
  const name = visit.param('name');
  const typed = visit.form.text('until').trim();
  const untilMs = typed === '' ? undefined : readUtc(typed);
  if (typed !== '' && untilMs === undefined) {
    return await banPage(visit, { until: 'A time that lies ahead is needed, in UTC.' });
  }
  const changed = await banByStaff(visit, name, visit.form.text('reason'), untilMs);
  if (changed instanceof Refusal && (changed.field === 'reason' || changed.field === 'until')) {
    return await banPage(visit, { [changed.field]: changed.message });
  }
  return await answerChange(visit, changed, `${name} is banned.`);
}

async function banPage(visit: Visit, errors: Errors): Promise<Response> {
  const member = await findMember(visit.parts.sql, visit.param('name'));
  if (member === undefined) return await visit.notFound('No member has this name.');
  const cancelHref = pathOf(visit, member.name);
  const main = banMain({ csrf: visit.csrfToken, name: member.name, errors, cancelHref });
  const status = Object.keys(errors).length === 0 ? 200 : 422;
  return await visit.page({ title: `Ban ${member.name}`, main, section: 'console', status });
}

export async function postUnban(visit: Visit): Promise<Response> {
  const name = visit.param('name');
  return await answerChange(visit, await unbanByStaff(visit, name), `${name} is in again.`);
}

export async function postProtect(visit: Visit): Promise<Response> {
  const name = visit.param('name');
  const isProtected = visit.form.text('protected') === 'yes';
  const changed = await protectByStaff(visit, name, isProtected);
  const done = isProtected
    ? `${name} is protected: addresses of theirs are written nowhere.`
    : `${name} is not protected any more.`;
  return await answerChange(visit, changed, done);
}

/** Moderators have a page of their own about a member. */
function pathOf(visit: Visit, name: string): string {
  return hrefTo(visit.may('administer') ? 'consoleMember' : 'consoleModeration', { name });
}

async function answerChange(
  visit: Visit,
  changed: Member | Refusal,
  done: string,
): Promise<Response> {
  if (changed instanceof Refusal) {
    if (changed.code.endsWith('-unknown')) return await visit.notFound(changed.message);
    return visit.redirect(pathOf(visit, visit.param('name')), {
      ...{ kind: 'bad', text: changed.message },
    });
  }
  const path = pathOf(visit, changed.name);
  return visit.redirect(path, { kind: 'good', text: done });
}
