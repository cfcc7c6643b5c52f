// Settings that were called otherwise. A name is a promise: the old one is read, with a warning, for one
// minor version after the one that renamed it; then its line here goes and the name is unknown.

/** By the old name, `section.key`, what it is called now. */
export type RenamedSettings = Readonly<Record<string, string>>;

export const RENAMED_SETTINGS: RenamedSettings = {};
