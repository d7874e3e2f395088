/** Schedules of workflows. Never edited: append a migration. */
export const MIGRATION_2 = `
create table schedule (
  schedule_key integer primary key,
  tenant text not null,
  namespace text not null,
  name text not null,
  is_enabled integer not null,
  -- Events after this position are still to be read for it; null when it reads none.
  event_position integer,
  revision integer not null,
  body text not null,
  crc integer not null,
  unique (tenant, namespace, name)
) strict;
`;
