// The tree of invites: one's own, and for the staff that of any member.

import { html } from 'hono/html';
import { badge } from '#site/components/badge.ts';
import { linkButton } from '#site/components/button.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { date } from '#site/components/figures.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { notice } from '#site/components/notice.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { plural } from '#site/format/number.ts';
import { inModeration } from '#site/moderation/moderation-frame.ts';
import { href, hrefTo } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import {
  type InvitedMember,
  type InviteTree,
  inviteTree,
  TREE_MEMBERS_MAX,
} from './invite-tree.ts';
import { findMember, findMemberById } from './members.ts';

export async function showInviteTree(visit: Visit): Promise<Response> {
  const tree = await inviteTree(visit.parts.sql, visit.signedIn().memberId);
  const head = pageHead({
    title: 'Who came by your invites',
    crumbs: [{ label: 'Invites', href: href('invites') }],
    lead: leadOf(tree),
  });
  const main = html`<div class="medium stack">${head}${treePanel(tree, 'You')}</div>`;
  return await visit.page({ title: 'Tree of invites', main, section: 'me' });
}

export async function showMemberTree(visit: Visit): Promise<Response> {
  const { sql } = visit.parts;
  const member = await findMember(sql, visit.param('name'));
  if (member === undefined) return await visit.notFound('No member has this name.');
  const inviter =
    member.invitedBy === undefined ? undefined : await findMemberById(sql, member.invitedBy);
  const tree = await inviteTree(sql, member.id);
  const came =
    inviter === undefined
      ? html`${member.name} came by nobody's invite. `
      : html`${member.name} was invited by ${memberLink(inviter)}. `;
  const head = pageHead({
    title: `Who came by ${member.name}`,
    crumbs: [{ label: member.name, href: hrefTo('member', { name: member.name }) }],
    lead: html`${came}${leadOf(tree)}`,
  });
  const main = inModeration('members', html`${head}${treePanel(tree, member.name)}`);
  return await visit.page({ title: 'Tree of invites', main, section: 'console' });
}

function leadOf({ count, isCut }: InviteTree): string {
  if (count === 0) return 'Nobody so far.';
  return `${isCut ? 'More than ' : ''}${plural(count, 'member')}, with those whom they brought in.`;
}

function treePanel({ invited, isCut }: InviteTree, who: string): Html {
  const body =
    invited.length === 0
      ? emptyState({
          title: 'Nobody yet',
          text: `${who === 'You' ? 'Nobody used one of your invites' : `Nobody used an invite of ${who}`} so far.`,
          icon: 'people',
          ...(who === 'You'
            ? { action: linkButton({ label: 'Invite somebody', href: href('invites') }) }
            : {}),
        })
      : html`<ul class="tree">${invited.map(line)}</ul>`;
  const more = isCut ? notice('info', `Only the nearest ${TREE_MEMBERS_MAX} are shown.`) : NOTHING;
  return html`${more}${panel({ title: 'Tree', body })}`;
}

function line(member: InvitedMember): Html {
  const below = member.invited.length === 0 ? NOTHING : html`<ul>${member.invited.map(line)}</ul>`;
  const state = member.state === 'banned' ? badge('bad', 'Banned') : NOTHING;
  return html`<li><div class="tree-line"><span class="name">${memberLink(member)} ${state}</span><span class="figure small">${date(member.createdMs)}</span></div>${below}</li>`;
}

function memberLink({ name, state }: { readonly name: string; readonly state: string }): Html {
  if (state === 'removed') return html`<span class="muted">${name}</span>`;
  return html`<a href="${hrefTo('member', { name })}">${name}</a>`;
}
