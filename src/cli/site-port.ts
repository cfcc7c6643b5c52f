// The site's port as the server has it: bound early when that takes root's rights, or else when all that
// answers behind it is there. Whoever comes before that waits.

import type { Clock } from '#base/clock.ts';
import type { Logger } from '#base/logger.ts';
import type { Random } from '#base/random.ts';
import type { Stop } from '#base/stop.ts';
import type { Config } from '#config/schema.ts';
import type { Site } from '#site/site.ts';
import type { ArchiveDoors } from './archive-parts.ts';
import { archiveSiteDoors } from './archive-site-doors.ts';
import type { BannedNetworks } from './banned-networks.ts';
import { ConnectionPlaces } from './connection-places.ts';
import { isPiecePath, upgradeToPieces } from './piece-door.ts';
import { openSiteCertificate } from './site-certificate.ts';
import { SiteListener } from './site-listener.ts';
import type { StoreDoors } from './store-doors.ts';

export interface SitePortWorld {
  readonly config: Config;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  /** Of the whole server, as Prometheus text. */
  readonly metrics: () => Promise<string>;
}

/** Everything that answers on the port. */
export interface SiteAnswers {
  readonly site: Site;
  readonly doors: ArchiveDoors;
  readonly storeDoors: StoreDoors;
  readonly banned: BannedNetworks;
}

export class SitePort {
  readonly #world: SitePortWorld;
  readonly #stop: Stop;
  readonly #answers = Promise.withResolvers<SiteAnswers>();
  #listener: SiteListener | undefined;

  /** What is opened here is closed by `stop`. */
  constructor(world: SitePortWorld, stop: Stop) {
    this.#world = world;
    this.#stop = stop;
  }

  /** Where the site answers, once it is bound. */
  get url(): string {
    const { address, tlsCertificateFile } = this.#world.config.site;
    const host = address.includes(':') ? `[${address}]` : address;
    const scheme = tlsCertificateFile === '' ? 'http' : 'https';
    return `${scheme}://${host}:${this.#listener?.port ?? 0}/`;
  }

  /** Binds the port, unless that is done already. @throws CliError CLI_PORT_IN_USE */
  async bind(): Promise<void> {
    this.#listener ??= await this.#listen();
  }

  /** From now on whoever comes is answered, and who has waited. */
  answer(answers: SiteAnswers): void {
    this.#answers.resolve(answers);
  }

  async #listen(): Promise<SiteListener> {
    const { config, clock, random, metrics } = this.#world;
    const certificate = await openSiteCertificate(this.#world, clock);
    this.#stop.closeLater('site certificate', async () => certificate?.close());
    const answers = this.#answers.promise;
    const listener = await SiteListener.listen({
      ...{ clock, random, certificate, metrics },
      ...{ address: config.site.address, port: config.site.port },
      places: new ConnectionPlaces(config.site),
      fetch: async (request, env) => await (await answers).site.fetch(request, env),
      doors: archiveSiteDoors(answers.then(({ doors }) => doors)),
      isBanned: async (request) => await (await answers).banned.hasSender(request),
      upgrade: async (request, socket, head) => {
        const { doors, storeDoors } = await answers;
        if (!isPiecePath(request)) return await storeDoors.upgrade(request, socket, head);
        return await upgradeToPieces(doors.pieces, request, socket, head);
      },
    });
    this.#stop.closeLater('site listener', () => listener.close());
    return listener;
  }
}
