// Where a thread's entry file is: `.ts` beside this one in a checkout, `.js` in the published package.

/** `base` is the caller's import.meta.url; `name` the entry's file name without its extension. */
export function threadUrl(base: string, name: string): URL {
  const extension = base.endsWith('.ts') ? '.ts' : '.js';
  return new URL(`./${name}${extension}`, base);
}
