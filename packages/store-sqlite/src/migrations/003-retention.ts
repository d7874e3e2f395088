/**
 * What deleting finished runs needs. Never edited: append a migration.
 *
 * `payload_use` says which runs hold a payload, so that the last one can take it away; runs stored before are looked through once.
 * `condemned` are runs that nobody sees any more and of which rows are still there: they go in small slices.
 */
export const MIGRATION_3 = `
create table payload_use (
  run_key integer not null,
  payload_key integer not null,
  primary key (run_key, payload_key)
) strict, without rowid;
create index payload_use_by_payload on payload_use (payload_key);
insert or ignore into payload_use (run_key, payload_key)
  select record.run_key, payload.payload_key
  from record join json_each(record.payload_places) as place join payload on payload.hash = json_extract(place.value, '$[2]')
  where record.payload_places is not null;

create table condemned (
  run_key integer primary key,
  run_id text not null unique
) strict;

-- Runs that have ended, per document: each document may say how long its runs stay.
create index run_by_end on run (digest, ended_at, run_id) where ended_at is not null;
create index message_by_run on message (to_run_id);
`;
