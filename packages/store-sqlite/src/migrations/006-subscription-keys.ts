/**
 * Subscriptions are found by what their filters compare with, too. Never edited: append a migration.
 *
 * Subscriptions from before have no key: every event of their type is a candidate for them, as it was.
 */
export const MIGRATION_6 = `
-- Which members of an event the filter compares with constants, and a digest of these; both null when there are none.
alter table subscription add column key_name text;
alter table subscription add column key_value text;
drop index subscription_by_type;
create index subscription_by_key on subscription (tenant, event_type, key_name, key_value);
`;
