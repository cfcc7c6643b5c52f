// The fixed names in a topic's folder; topic.ts has the whole picture.

export const MARK_NAME = 'mark';
export const CONSUMERS_FOLDER = 'consumers';
export const REMOVING_NAME = 'removing';
export const COMPACTED_NAME = 'compacted';
