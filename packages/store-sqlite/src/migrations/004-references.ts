/**
 * What a document refers to outside of itself is kept with it. Never edited: append a migration.
 *
 * Null for documents without references: their checksum is that of the rows from before.
 */
export const MIGRATION_4 = `
alter table definition add column pinned text;
`;
