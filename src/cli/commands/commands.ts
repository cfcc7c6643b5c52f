// Every command of bin/swarmkeep, in the order that --help lists them.

import type { CliCommand, Item, Output } from '#cli/command.ts';
import { runTold } from '#cli/command-deeds.ts';
import { CliError } from '#cli/errors.ts';
import type { Rooms } from '#cli/rooms.ts';
import { archiveStats, archiveVerify } from './archive-commands.ts';
import { backup, backupList, backupVerify } from './backup-commands.ts';
import { configCheck, configPrint, dbMigrate, dbStatus } from './config-commands.ts';
import { demo } from './demo-command.ts';
import { doctor } from './doctor-command.ts';
import {
  freeleechAdd,
  freeleechEnd,
  freeleechList,
  freeleechTokens,
} from './freeleech-commands.ts';
import { jobsList, jobsPause, jobsResume, jobsRun } from './job-commands.ts';
import { keeperAdd, keeperList, keeperRemove, keeperRun } from './keeper-commands.ts';
import { memberOfKey, passkeyImport } from './key-commands.ts';
import { ledgerAudit, ledgerRebuild, ledgerShow, ledgerSnapshot } from './ledger-commands.ts';
import { logBench } from './log-bench-command.ts';
import { logRepair, logVerify } from './log-check-commands.ts';
import { logAppend, logRead, logStats, logTail, logTopics } from './log-commands.ts';
import { logCreate } from './log-create-command.ts';
import { logForward } from './log-forward-command.ts';
import { logServe } from './log-serve-command.ts';
import { loggingReset, loggingSet, loggingShow } from './logging-commands.ts';
import {
  memberAdd,
  memberBan,
  memberList,
  memberRemove,
  memberResetPasskey,
  memberResetPassword,
  memberShow,
  memberUnban,
} from './member-commands.ts';
import { memberErase, memberExport, memberProtect } from './privacy-commands.ts';
import { put } from './put-command.ts';
import { archiveEvents, archiveReindex, archiveRotateKey, reindex } from './reindex-commands.ts';
import { restoreCommand } from './restore-command.ts';
import { serve } from './serve-command.ts';
import { get, share, shareList, unshare } from './share-commands.ts';
import {
  storeCompact,
  storeKeys,
  storeMigrate,
  storeRebalance,
  storeRebuild,
  storeReencrypt,
  storeSync,
  storeVerify,
} from './store-care-commands.ts';
import { storeGet, storeLs, storePut, storeRm, storeStat, storeStats } from './store-commands.ts';
import { storeGc, storePin, storePins, storeUnpin } from './store-garbage-commands.ts';
import { storeRemote } from './store-remote-command.ts';
import { storeAck, storeFailures, storeSyncs } from './store-sync-commands.ts';
import { storeTokenAdd, storeTokenList, storeTokenRemove } from './store-token-commands.ts';
import { support } from './support-command.ts';
import {
  torrentAdd,
  torrentDownload,
  torrentKeep,
  torrentList,
  torrentRemove,
  torrentShow,
  torrentUnkeep,
} from './torrent-commands.ts';

export const COMMANDS: readonly CliCommand[] = [
  serve,
  demo,
  memberAdd,
  memberList,
  memberShow,
  memberOfKey,
  passkeyImport,
  memberBan,
  memberUnban,
  memberRemove,
  memberErase,
  memberExport,
  memberProtect,
  memberResetPasskey,
  memberResetPassword,
  torrentAdd,
  torrentList,
  torrentShow,
  torrentRemove,
  torrentDownload,
  put,
  torrentKeep,
  torrentUnkeep,
  share,
  shareList,
  unshare,
  get,
  archiveStats,
  archiveVerify,
  reindex,
  archiveReindex,
  archiveEvents,
  archiveRotateKey,
  keeperAdd,
  keeperList,
  keeperRemove,
  keeperRun,
  freeleechAdd,
  freeleechList,
  freeleechEnd,
  freeleechTokens,
  ledgerShow,
  ledgerAudit,
  ledgerRebuild,
  ledgerSnapshot,
  jobsList,
  jobsRun,
  jobsPause,
  jobsResume,
  logTopics,
  logCreate,
  logAppend,
  logRead,
  logTail,
  logStats,
  logVerify,
  logRepair,
  logServe,
  logForward,
  logBench,
  storePut,
  storeGet,
  storeLs,
  storeStat,
  storeRm,
  storeStats,
  storeVerify,
  storeCompact,
  storeGc,
  storePin,
  storeUnpin,
  storePins,
  storeSync,
  storeSyncs,
  storeFailures,
  storeAck,
  storeMigrate,
  storeRebalance,
  storeReencrypt,
  storeRebuild,
  storeKeys,
  storeRemote,
  storeTokenAdd,
  storeTokenList,
  storeTokenRemove,
  configPrint,
  configCheck,
  dbStatus,
  dbMigrate,
  backup,
  backupList,
  backupVerify,
  restoreCommand,
  doctor,
  support,
  loggingShow,
  loggingSet,
  loggingReset,
];

/** What the running server does when another process asks it on its socket. */
export async function runRoomsCommand(
  rooms: Rooms,
  request: { readonly command: string; readonly input: Item },
  output: Output,
): Promise<void> {
  const command = COMMANDS.find((one) => one.name === request.command);
  if (command === undefined || command.local === true) {
    throw new CliError('CLI_USAGE', `The server knows no command "${request.command}"`);
  }
  const { input } = request;
  await runTold({ command, rooms, input, output, by: output.by ?? '' });
}
