// docs/ beside this program, for the site: the names are what lies there, and nothing else is read.

import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { DocShelf } from '#site/docs/doc-shelf.ts';

const FOLDER = fileURLToPath(new URL('../../docs/', import.meta.url));

export function docShelf(folder: string = FOLDER): DocShelf {
  let names: Promise<readonly string[]> | undefined;
  const shelf: DocShelf = {
    names() {
      names ??= namesIn(folder);
      return names;
    },
    async read(name) {
      if (!(await shelf.names()).includes(name)) return undefined;
      return await readFile(`${folder}/${name}`, 'utf8').catch(() => undefined);
    },
  };
  return shelf;
}

/** Empty where the program was installed without them. */
async function namesIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile() && /\.(md|toml)$/.test(entry.name))
    .map((entry) => `${entry.parentPath}/${entry.name}`.slice(folder.length).replace(/^\/+/, ''));
}
