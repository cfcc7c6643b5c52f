// What members reach, and what waits in the running server.

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isLocalUrl } from '#site/announce-urls.ts';
import type { Check, Found } from './finding.ts';

/** Lag that is more than the second that a change may take. */
const LAG_MAX = 10_000;
const DAY_MS = 86_400_000;
const EXPIRY_DAYS_MIN = 14;

export const addresses: Check = {
  name: 'addresses',
  async run(rooms) {
    const findings: Found[] = [];
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
  },
};

export const queues: Check = {
  name: 'queues',
  async run(rooms) {
    const status = await rooms.status();
    if (status === undefined) return [];
    const findings: Found[] = [];
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
  },
};

export const certificates: Check = {
  name: 'certificates',
  async run({ config, clock }) {
    const nowMs = clock.nowMs();
    const files = [config.site.tlsCertificateFile, config.tracker.tlsCertificateFile];
    return [...new Set(files)].flatMap((file) => (file === '' ? [] : expiryOf(file, nowMs)));
  },
};

function expiryOf(file: string, nowMs: number): Found[] {
  const certificate = new X509Certificate(readFileSync(file));
  const days = Math.floor((Date.parse(certificate.validTo) - nowMs) / DAY_MS);
  if (Date.parse(certificate.validFrom) > nowMs) {
    return [
      {
        what: `The certificate "${file}" is not valid before ${certificate.validFrom}.`,
        advice: 'Look at the clock of this machine; else use the certificate before it until then.',
      },
    ];
  }
  if (days >= EXPIRY_DAYS_MIN) return [];
  const when = days < 0 ? 'has expired' : `expires in ${days} days`;
  return [
    {
      what: `The certificate "${file}" ${when}.`,
      advice: 'Renew it in place: the server takes the new one up by itself within seconds.',
    },
  ];
}
