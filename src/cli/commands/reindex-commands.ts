// `swarmkeep reindex` and what it reads: the archive's signed events.

import { flagOf, type Item, type RoomsCommand } from '#cli/command.ts';
import { CliError } from '#cli/errors.ts';

export const reindex: RoomsCommand = {
  name: 'reindex',
  summary:
    "Make the archive's catalogue again from the log's signed events and the store, and tell where it was another. Exits 1 when something could not be put right.",
  example: 'swarmkeep reindex --check',
  declare: (commander) =>
    commander
      .option('--check', 'Only tell what differs; exits 1 when something does.')
      .option('--skip-damaged', 'Go on without events that are damaged; else they end it.'),
  prepare: (words) => ({
    isCheck: words.options['check'] === true,
    skipDamaged: words.options['skipDamaged'] === true,
  }),
  async run(rooms, input, output) {
    const [{ reindex: run }, { reindexWorld }] = await Promise.all([
      import('#archive/events/reindex.ts'),
      import('#cli/archive-events.ts'),
    ]);
    const isCheck = flagOf(input, 'isCheck');
    // What was changed a moment ago is in the log then.
    await rooms.events.flush();
    const result = await run(await reindexWorld(rooms), {
      ...{ isCheck, skipDamaged: flagOf(input, 'skipDamaged'), signal: output.signal },
      onProblem: (problem) => output.item({ problem }),
      onTorrent: (done, total) => output.progress({ what: 'torrents', done, total }),
    });
    if (!isCheck) await rooms.events.flush();
    output.item({ ...result, isCheck });
    if (result.problems > 0 || (isCheck && result.differences > 0)) {
      throw new CliError('CLI_FOUND_DAMAGE', 'The catalogue is not what the log says');
    }
  },
  text(item) {
    if (typeof item['problem'] === 'string') return item['problem'];
    const isCheck = item['isCheck'] === true;
    const otherwise = isCheck
      ? `says otherwise of ${item['differences']} torrents: \`reindex\` puts that right`
      : `said otherwise of ${item['differences']} torrents, and is put right`;
    const lines = [
      `${item['events']} events tell of ${item['kept']} kept torrents with ${item['files']} files, and ${item['wanted']} wanted`,
      `  the catalogue ${item['differences'] === 0 ? 'says the same' : otherwise}`,
    ];
    const some = (key: string, words: string): void => {
      if (item[key] !== 0) lines.push(`  ${item[key]} ${words}`);
    };
    some('restored', `${isCheck ? 'are not in' : 'were put back into'} the catalogue of torrents`);
    some('missingBlobs', 'blobs of them are missing: `archive verify` heals what it can');
    some('damagedEvents', 'events are damaged and were left out');
    some('problems', isCheck ? 'cannot be put right' : 'could not be put right');
    return lines.join('\n');
  },
};

/** The same, where one looks for it among the archive's commands. */
export const archiveReindex: RoomsCommand = {
  ...reindex,
  name: 'archive reindex',
  summary: 'The same as `reindex`.',
  example: 'swarmkeep archive reindex',
};

export const archiveEvents: RoomsCommand = {
  name: 'archive events',
  summary: "List the archive's signed events, the oldest first. Exits 1 when one is damaged.",
  example: 'swarmkeep archive events --json',
  async run(rooms, _input, output) {
    const { EventChain } = await import('#archive/events/event-chain.ts');
    await rooms.events.flush();
    let damaged = 0;
    for await (const one of new EventChain(rooms.log).read(output.signal)) {
      const { offset, timeMs, event, problem } = one;
      if (problem !== undefined) damaged += 1;
      output.item({
        ...{ offset, timeMs, name: event?.name ?? null, problem: problem ?? null },
        ...{
          kind: event?.body.kind ?? null,
          about: event === undefined ? '' : aboutOf(event.body),
        },
      });
    }
    if (damaged > 0) throw new CliError('CLI_FOUND_DAMAGE', `${damaged} events are damaged`);
  },
  text: eventText,
};

type Body = import('#archive/events/event.ts').EventBody;

function aboutOf(body: Body): string {
  if (body.kind === 'key') return body.key;
  return body.kind === 'delete' ? body.infoHash : `${body.torrent.infoHash} ${body.torrent.title}`;
}

function eventText(item: Item): string {
  const problem = item['problem'] === null ? '' : `\n  ${item['problem']}`;
  const time = new Date(Number(item['timeMs'])).toISOString();
  const kind = String(item['kind'] ?? 'refused').padEnd(7);
  return `${String(item['offset']).padStart(6)}  ${time}  ${kind} ${item['about']}${problem}`;
}

export const archiveRotateKey: RoomsCommand = {
  name: 'archive rotate-key',
  summary: "Sign the archive's events with a new key from now on; the old one vouches for it.",
  example: 'swarmkeep archive rotate-key',
  declare: (commander) =>
    commander.option(
      '--lost',
      'The old key is lost: the one in keys/archive-events begins anew, and nothing vouches for it.',
    ),
  prepare: (words) => ({ isLost: words.options['lost'] === true }),
  async run(rooms, input, output) {
    output.item({ key: await rooms.events.rotateKey(flagOf(input, 'isLost')) });
    await rooms.events.flush();
  },
  text: (item) => `events are signed by ${item['key']} now`,
};
