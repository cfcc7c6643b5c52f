// The moderators' desk: its parts at the left, one of them open.

import { consoleFrame } from '#site/components/console-frame.ts';
import type { Html } from '#site/components/markup.ts';
import { href } from '#site/routes.ts';

export type ModerationPart = 'reports' | 'applications' | 'networks' | 'staff-log' | 'members';

export function inModeration(part: ModerationPart, body: Html): Html {
  const links = [
    { label: 'Reports', href: href('consoleReports'), current: part === 'reports' },
    {
      label: 'Applications',
      href: href('consoleApplications'),
      current: part === 'applications',
    },
    { label: 'Members', href: href('members'), current: part === 'members' },
    { label: 'Banned networks', href: href('consoleNetworks'), current: part === 'networks' },
    { label: 'Staff log', href: href('consoleStaffLog'), current: part === 'staff-log' },
  ];
  return consoleFrame('Moderation', links, body);
}
