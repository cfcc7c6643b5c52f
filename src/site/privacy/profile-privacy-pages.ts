// The page on which members say what others see of their profile.

import { html } from 'hono/html';
import type { RouteHandlers } from '#site/admission.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import { checkField, formActions, postForm } from '#site/components/form.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { href, hrefTo } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import {
  PROFILE_SECTIONS,
  type ProfileSection,
  sectionsIn,
  shownBy,
  showSections,
} from './profile-sections.ts';

const WORDS: Readonly<Record<ProfileSection, readonly [label: string, hint: string]>> = {
  totals: ['What you gave and took', 'Your ratio, too, here and in the list of members.'],
  visits: ['Your last visit', 'Here and in the list of members.'],
  chart: ['Given and taken over time', 'What you gave and took, by day.'],
  clients: ['Active clients', 'Which torrents you seed and download now, and with which program.'],
  history: ['History', 'What you gave and took of each torrent.'],
};

export const profilePrivacyRoutes: RouteHandlers = {
  privacy: { GET: showPrivacy, POST: postPrivacy },
};

async function showPrivacy(visit: Visit): Promise<Response> {
  const { memberId, name } = visit.signedIn();
  const shown = await shownBy(visit.parts.sql, memberId);
  const form = postForm({
    action: href('privacy'),
    csrf: visit.csrfToken,
    body: html`${checkField({
      name: 'shown',
      label: 'Other members see',
      hint: 'Your name, your role and when you joined are seen by all. The staff sees everything but your keys.',
      options: PROFILE_SECTIONS.map((value) => {
        const [label, hint] = WORDS[value];
        return { value, label, hint };
      }),
      values: [...shown],
    })}${formActions(
      submitButton({ label: 'Save', kind: 'primary' }),
      linkButton({ label: 'Your profile', href: hrefTo('member', { name }) }),
    )}`,
  });
  const head = pageHead({
    title: 'Privacy',
    lead: 'What other members see of your profile. Addresses and keys are never shown to them.',
  });
  const main = html`<div class="medium stack">${head}${panel({ title: 'Your profile', body: form })}</div>`;
  return await visit.page({ title: 'Privacy', main, section: 'me' });
}

async function postPrivacy(visit: Visit): Promise<Response> {
  const { memberId } = visit.signedIn();
  await showSections(visit.parts.sql, memberId, sectionsIn(visit.form.texts('shown')));
  const text = 'Saved: others see your profile so from now on.';
  return visit.redirect(href('privacy'), { kind: 'good', text });
}
