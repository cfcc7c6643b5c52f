// The fixed names in a topic's folder; topic.ts has the whole picture.

export const MARK_NAME = 'mark';
export const CONSUMERS_FOLDER = 'consumers';
