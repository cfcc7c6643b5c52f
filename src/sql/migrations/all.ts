// The migrations of sql/ itself, for cli's list of all rooms.

import type { Migration } from '#sql/sql.ts';
import { outboxMigration } from './0001-outbox.ts';
import { consumerPositionMigration } from './0002-consumer-position.ts';

export const sqlMigrations: readonly Migration[] = [outboxMigration, consumerPositionMigration];
