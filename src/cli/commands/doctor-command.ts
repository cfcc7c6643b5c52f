// `swarmkeep doctor`: looks at the settings and the running server as an operator would at 3 a.m. and
// says what to do. Exits 1 when it finds something.

import type { Item, RoomsCommand } from '#cli/command.ts';
import { CliError } from '#cli/errors.ts';
import type { Rooms } from '#cli/rooms.ts';
import { isLocalUrl } from '#site/announce-urls.ts';

/** Lag that is more than the second that a change may take. */
const LAG_MAX = 10_000;

interface Finding {
  readonly what: string;
  readonly advice: string;
}

export const doctor: RoomsCommand = {
  name: 'doctor',
  summary: 'Look for what is wrong or will be, and say what to do. Exits 1 on a find.',
  example: 'swarmkeep doctor --json',
  readOnly: true,
  async run(rooms, _input, output) {
    const findings = [...(await addressFindings(rooms)), ...(await serverFindings(rooms))];
    output.item({ findings: findings.map((finding): Item => ({ ...finding })) });
    if (findings.length > 0) throw new CliError('CLI_FOUND_DAMAGE', `${findings.length} findings`);
  },
  text(item) {
    const findings = item['findings'] as Item[];
    if (findings.length === 0) return 'Nothing is wrong.';
    return findings.map((one) => `- ${one['what']}\n  ${one['advice']}`).join('\n');
  },
};

async function addressFindings(rooms: Rooms): Promise<Finding[]> {
  const findings: Finding[] = [];
  const { addressesOf } = await import('#cli/site-parts.ts');
  const { siteUrl, tracker } = await addressesOf(rooms);
  for (const [door, url] of Object.entries(tracker)) {
    if (url === '' || !isLocalUrl(url)) continue;
    findings.push({
      what: `A member's torrent would announce to ${url}, which is the member's own machine.`,
      advice: `Set tracker.publicUrls.${door} to the name that members reach.`,
    });
  }
  if (isLocalUrl(siteUrl)) {
    findings.push({
      what: `Links of the site begin with ${siteUrl}.`,
      advice: 'Set site.publicUrl to the address that members type.',
    });
  }
  return findings;
}

async function serverFindings(rooms: Rooms): Promise<Finding[]> {
  const status = await rooms.status();
  if (status === undefined) return [];
  const findings: Finding[] = [];
  if (status.ledgerLag > LAG_MAX) {
    findings.push({
      what: `The ledger is ${status.ledgerLag} records behind the log.`,
      advice:
        'See the log for errors of the module "ledger"; look at the load of disk and database.',
    });
  }
  if (status.controlLag > LAG_MAX) {
    findings.push({
      what: `${status.controlLag} changes wait for the trackers.`,
      advice: 'See the log for errors of the module "outbox"; look for a full disk.',
    });
  }
  return findings;
}
