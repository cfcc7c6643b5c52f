// `swarmkeep store remote …`: far stores that this person's commands know by name.

import { type Item, type LocalCommand, textOf } from '#cli/command.ts';
import { CliError } from '#cli/errors.ts';
import { readSecret } from '#cli/remote.ts';
import { isRemoteName, readRemotes, remotesPath, writeRemotes } from '#cli/remotes.ts';

export const storeRemote: LocalCommand = {
  local: true,
  name: 'store remote',
  summary: 'Remember far stores by name, with their tokens: `add`, `list`, `rm`.',
  example: 'swarmkeep store remote add home https://swarm.example.org --token-file token',
  declare: (commander) =>
    commander
      .argument('<what>', '"add", "list" or "rm".')
      .argument('[name]', 'What --url calls it.')
      .argument('[url]', "The site's address.")
      .option('--token-file <file>', 'The token that its `store-token add` made.'),
  prepare(words) {
    const [what = '', name = '', url = ''] = words.args;
    const tokenFile = words.options['tokenFile'];
    return { what, name, url, tokenFile: typeof tokenFile === 'string' ? tokenFile : '' };
  },
  async runLocal(_options, input, output) {
    const path = remotesPath();
    const remotes = readRemotes(path);
    const [what, name, url] = [textOf(input, 'what'), textOf(input, 'name'), textOf(input, 'url')];
    if (what === 'list') {
      for (const [one, remote] of Object.entries(remotes)) {
        output.item({ name: one, url: remote.url } satisfies Item);
      }
      return;
    }
    if (!isRemoteName(name)) throw new CliError('CLI_USAGE', `"${name}" is no name of a remote`);
    if (what === 'add') {
      const tokenFile = textOf(input, 'tokenFile');
      if (!/^https?:\/\//.test(url) || !URL.canParse(url) || tokenFile === '') {
        throw new CliError('CLI_USAGE', 'A remote has an address, https://…, and a --token-file');
      }
      writeRemotes(path, { ...remotes, [name]: { url, token: readSecret(tokenFile) } });
      output.item({ name, url, path });
    } else if (what === 'rm') {
      const { [name]: gone, ...rest } = remotes;
      if (gone === undefined) throw new CliError('CLI_NOT_FOUND', `No remote is called "${name}"`);
      writeRemotes(path, rest);
      output.item({ name, url: gone.url, path });
    } else throw new CliError('CLI_USAGE', `"${what}" is none of add, list, rm`);
  },
  text: (item) => `${item['name']}  ${item['url']}`,
};
