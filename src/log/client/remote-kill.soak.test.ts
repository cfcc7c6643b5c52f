// The long run of remote-kill.server.test.ts.

process.env['SWARMKEEP_KILLS'] ??= '300';
await import('./remote-kill.server.test.ts');
