// Builds the addon in native/ when it is missing or its sources changed, and says what there is. The
// root's `prepare` runs it; it ends with 0 in any case, because Node's sockets do without.

import { findOrBuildAddon } from '#cli/addon-build.ts';
import { loadAddon } from '#net/addon.ts';

const place = findOrBuildAddon();
const loaded = loadAddon(place);
const line = 'why' in loaded ? `sockets: node (${loaded.why})` : 'sockets: batched';
process.stdout.write(`${line}\n`);
