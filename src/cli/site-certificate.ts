// The certificate of the site's port, read anew when its files change.

import type { Clock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import type { Logger } from '#base/logger.ts';
import type { Config } from '#config/schema.ts';
import { TlsCertificate } from '#net/tls-certificate.ts';

/** Undefined when the site speaks HTTP. @throws NetError NET_TLS_INVALID */
export async function openSiteCertificate(
  world: { readonly config: Config; readonly logger: Logger },
  clock: Clock,
): Promise<TlsCertificate | undefined> {
  const { tlsCertificateFile: certificateFile, tlsKeyFile: keyFile } = world.config.site;
  if (certificateFile === '') return undefined;
  const logger = world.logger.for('site');
  return await TlsCertificate.open({
    ...{ disk: new SystemDisk(), clock, logger, certificateFile, keyFile },
  });
}
