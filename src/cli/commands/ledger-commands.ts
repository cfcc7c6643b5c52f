// `swarmkeep ledger …`: what a member moved, and the proof that every record was counted once.

import { flagOf, type Item, type RoomsCommand, textOf } from '#cli/command.ts';
import { CliError } from '#cli/errors.ts';
import type { Rooms } from '#cli/rooms.ts';
import type { Member } from '#site/accounts/members.ts';

const TRANSFERS_PAGE = 500;

export const ledgerShow: RoomsCommand = {
  name: 'ledger show',
  summary: "A member's totals, standing and transfers per torrent, real and credited bytes apart.",
  example: 'swarmkeep ledger show alice --json',
  readOnly: true,
  declare: (commander) => commander.argument('<name>', 'The member.'),
  prepare: (words) => ({ name: words.args[0] ?? '' }),
  async run(rooms, input, output) {
    const { memberTotals, memberTransfers } = await import('#accounting/totals.ts');
    const { findMember } = await import('#site/accounts/members.ts');
    const { findTorrent } = await import('#site/catalogue/find-torrent.ts');
    const name = textOf(input, 'name');
    const member = await findMember(rooms.sql, name);
    if (member === undefined) throw new CliError('CLI_NOT_FOUND', `No member is called "${name}"`);
    const totals = await memberTotals(rooms.sql, member.id);
    const torrents: Item[] = [];
    // Absent is absent: JSON leaves out what is undefined.
    const shown = (value: object): Item => JSON.parse(JSON.stringify(value)) as Item;
    let after: number | undefined;
    for (;;) {
      const page = await memberTransfers(rooms.sql, member.id, {
        limit: TRANSFERS_PAGE,
        ...(after === undefined ? {} : { after }),
      });
      for (const transfer of page) {
        const torrent = await findTorrent(rooms.sql, transfer.torrentId);
        torrents.push({ infoHash: torrent?.infoHash ?? null, ...shown(transfer) });
      }
      if (page.length < TRANSFERS_PAGE) break;
      after = page.at(-1)?.torrentId;
    }
    const standing = shown(await standingOf(rooms, member));
    output.item({ member: member.name, ...shown(totals), standing, torrents });
  },
  text: ledgerText,
};

/** Where the member stands, and why, in words to them. */
async function standingOf(rooms: Rooms, member: Member) {
  const { RuleBook } = await import('#site/rules/rule-book.ts');
  const { standingView } = await import('#site/rules/standing-panel.ts');
  const { NUMBER_WORDS } = await import('#site/rules/standing-effects.ts');
  const { findingWords } = await import('#accounting/strategies/verdict-words.ts');
  const { sql, clock, config } = rooms;
  const ruleBook = new RuleBook({ sql, clock, rules: config.rules });
  const view = await standingView({ sql, ruleBook }, member, clock.nowMs());
  return {
    state: view.standing.state,
    strategy: (await ruleBook.current()).rules.strategy,
    verdict: view.verdict.state,
    reasons: view.verdict.findings.map((finding) => findingWords(finding, NUMBER_WORDS)),
  };
}

function ledgerText(item: Item): string {
  const { state, reasons } = item['standing'] as { state: string; reasons: readonly string[] };
  const torrents = item['torrents'] as Item[];
  const lines = torrents.map(
    (one) =>
      `  torrent ${one['torrentId']}: uploaded ${one['uploadedBytes']}, ` +
      `downloaded ${one['downloadedBytes']}, seeded ${one['seedSeconds']} s`,
  );
  return [
    `${item['member']}: uploaded ${item['uploadedBytes']} bytes ` +
      `(credited ${item['creditedUploadedBytes']}), downloaded ${item['downloadedBytes']} ` +
      `(credited ${item['creditedDownloadedBytes']})`,
    `  standing: ${state}`,
    ...reasons.map((reason) => `    ${reason}`),
    ...lines,
  ].join('\n');
}

export const ledgerAudit: RoomsCommand = {
  name: 'ledger audit',
  summary:
    'Prove the chain of every baseline in the log and compare every total. Exits 1 on a find. Ended by Ctrl-C, the next one goes on.',
  example: 'swarmkeep ledger audit --json',
  readOnly: true,
  async run(rooms, _input, output) {
    const { audit } = await import('#accounting/audit/audit.ts');
    const { auditFile } = await import('#cli/audit-file.ts');
    const result = await audit({
      log: rooms.log,
      sql: rooms.sql,
      signal: output.signal,
      checkpoint: auditFile(rooms.dataPath),
      progress: (done, total) => output.progress({ what: 'audit', done, total }),
    });
    const { records, members, differences, notes } = result;
    output.item({ records, members, differences: [...differences], notes: [...notes] });
    if (result.differences.length > 0) {
      throw new CliError('CLI_FOUND_DAMAGE', `${result.differences.length} differences`);
    }
  },
  text(item) {
    const differences = item['differences'] as string[];
    const verdict =
      differences.length === 0 ? 'no difference' : `${differences.length} differences`;
    return [
      `${item['records']} records of ${item['members']} members: ${verdict}`,
      ...differences,
      ...(item['notes'] as string[]).map((note) => `note: ${note}`),
    ].join('\n');
  },
};

export const ledgerRebuild: RoomsCommand = {
  name: 'ledger rebuild',
  summary: 'Make the ledger anew from the log.',
  example: 'swarmkeep ledger rebuild',
  declare: (commander) =>
    commander.option('--accept-damage', 'Count what can be read, and lose what cannot.', false),
  prepare: (words) => ({ acceptDamage: words.options['acceptDamage'] === true }),
  async run(rooms, input, output) {
    const { rebuild } = await import('#accounting/ledger/rebuild.ts');
    const result = await rooms.withLedgerPaused(() =>
      rebuild({
        log: rooms.log,
        sql: rooms.sql,
        acceptDamage: flagOf(input, 'acceptDamage'),
        signal: output.signal,
        progress: (done, total) => output.progress({ what: 'rebuild', done, total }),
      }),
    );
    const { records, differences } = result;
    output.item({ records, differences: [...differences] });
  },
  text: (item) =>
    [`${item['records']} records counted anew`, ...(item['differences'] as string[])].join('\n'),
};

export const ledgerSnapshot: RoomsCommand = {
  name: 'ledger snapshot',
  summary:
    'Prove the ledger and keep it as it stands, so that old transfers may go (log.transfersAgeMsMax).',
  example: 'swarmkeep ledger snapshot',
  async run(rooms, _input, output) {
    const { takeLedgerSnapshot } = await import('#accounting/ledger/ledger-snapshot.ts');
    const { SystemDisk } = await import('#base/disk.ts');
    const result = await rooms.withLedgerPaused(() =>
      takeLedgerSnapshot({
        log: rooms.log,
        sql: rooms.sql,
        baselines: { disk: new SystemDisk(), folder: `${rooms.dataPath}/baselines` },
        signal: output.signal,
        progress: (done, total) => output.progress({ what: 'audit', done, total }),
      }),
    );
    output.item({ ...result });
  },
  text: (item) =>
    `the ledger is kept as of offset ${item['nextOffset']}; ` +
    `transfers before offset ${item['coveredOffset']} are needed no more`,
};
