// The long run of the kill -9 loops in log.crash.test.ts: ten minutes of each.

process.env['SWARMKEEP_KILL_MS'] ??= '600000';
await import('./log.crash.test.ts');
