// The documentation as the site shows it. A page is asked for by its name on the shelf's own list, never by
// a path: whatever an address says, no other file is read.

export interface DocShelf {
  /** Below docs/, with slashes: `getting-started.md`, `generated/config.toml`. */
  names(): Promise<readonly string[]>;
  /** Of one of those names. Undefined when it is gone. */
  read(name: string): Promise<string | undefined>;
}

export interface DocPage {
  readonly title: string;
  /** Markdown without the title's line. */
  readonly text: string;
}

const TITLE = /^# +(.+)\n/m;

/** The name that an address means: without its ending, a folder by its index. Undefined for others. */
export function docName(names: readonly string[], path: string): string | undefined {
  const wanted = path.replace(/\.(md|toml)$/, '');
  return [`${wanted}.md`, `${wanted}.toml`, `${wanted}/index.md`].find((name) =>
    names.includes(name),
  );
}

/** Where a page is shown. */
export function docPath(name: string): string {
  return `/docs/${name.replace(/(\/index)?\.(md|toml)$/, '')}`;
}

export function docPage(name: string, text: string): DocPage {
  if (name.endsWith('.toml')) {
    return { title: name, text: `\`\`\`\n${text.replaceAll('```', "'''")}\n\`\`\`` };
  }
  const title = TITLE.exec(text)?.[1]?.replaceAll('`', '') ?? name;
  return { title, text: text.replace(TITLE, '') };
}

/** Links between pages lead to where they are shown; those that lead nowhere here are their words alone. */
export function withDocLinks(text: string, name: string, names: readonly string[]): string {
  return text.replaceAll(/\[([^[\]]+)\]\(([^()\s]+)\)/g, (whole, label: string, target: string) => {
    if (/^https?:/.test(target)) return whole;
    const url = new URL(target, `http://docs/docs/${name}`);
    if (!url.pathname.startsWith('/docs/')) return label;
    const found = docName(names, url.pathname.slice('/docs/'.length));
    return found === undefined ? label : `[${label}](${docPath(found)})`;
  });
}
