// Letters over SMTP, by nodemailer. A letter that the server does not take is an error for the operator's
// log; nothing is kept and sent again, because what letters carry is good for a short time alone.

import { readFileSync } from 'node:fs';
import { createTransport } from 'nodemailer';
import type { Mailer } from '#site/recovery/mails.ts';

export interface MailSettings {
  readonly smtpUrl: string;
  readonly smtpPasswordFile: string;
  readonly mailFrom: string;
}

const DIAL_MS_MAX = 10_000;
const SILENCE_MS_MAX = 30_000;

/** Undefined where no mail server is configured. @throws when the file of the password cannot be read */
export function mailerOf(settings: MailSettings): Mailer | undefined {
  const { smtpUrl, smtpPasswordFile, mailFrom } = settings;
  if (smtpUrl === '') return undefined;
  const url = new URL(smtpUrl);
  const isSecure = url.protocol === 'smtps:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const user = decodeURIComponent(url.username);
  const pass = smtpPasswordFile === '' ? '' : readFileSync(smtpPasswordFile, 'utf8').trim();
  const transport = createTransport({
    host,
    port: url.port === '' ? (isSecure ? 465 : 587) : Number(url.port),
    secure: isSecure,
    // A password goes over an encrypted line or not at all.
    requireTLS: user !== '' && !isSecure,
    connectionTimeout: DIAL_MS_MAX,
    greetingTimeout: DIAL_MS_MAX,
    socketTimeout: SILENCE_MS_MAX,
    // What a letter holds comes from us, but no field of it may ever name a file or an address to read.
    disableFileAccess: true,
    disableUrlAccess: true,
    ...(user === '' ? {} : { auth: { user, pass } }),
  });
  const from = mailFrom === '' ? `swarmkeep@${host}` : mailFrom;
  return {
    async send({ to, subject, text }) {
      await transport.sendMail({ from, to: { name: '', address: to }, subject, text });
    },
  };
}
