// The part of `[site]` about letters to members.

import { z } from 'zod';

export const mailConfig = z.strictObject({
  smtpUrl: z
    .string()
    .max(300)
    .refine(isSmtpUrl, 'expected an address such as "smtp://user@mail.example.org:587"')
    .default('')
    .describe(
      'Mail server that takes letters to members, as "smtp://user@mail.example.org:587" (encrypted as soon as it can be) or "smtps://…:465" (encrypted from the start). Empty sends none: then members who forget their password need the staff.',
    ),
  smtpPasswordFile: z
    .string()
    .default('')
    .describe(
      'Path of the file with the password for the mail server. It should be readable for the server’s account only.',
    ),
  mailFrom: z
    .string()
    .max(300)
    .default('')
    .describe(
      'Who letters are from, as "Reading Room <noreply@example.org>". Mail servers refuse those of a domain that is not theirs.',
    ),
});

/** Without a password: that has a file of its own. */
function isSmtpUrl(text: string): boolean {
  if (text === '') return true;
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, password } = new URL(text);
  return ['smtp:', 'smtps:'].includes(protocol) && hostname !== '' && password === '';
}
