/**
 * The first schema. Never edited: append a migration.
 *
 * Times are real, since event time may carry fractions of a millisecond. `crc` covers the row's other columns (see `checksum.ts`).
 */
export const MIGRATION_1 = `
create table run (
  run_key integer primary key,
  run_id text not null unique,
  tenant text not null,
  namespace text not null,
  name text not null,
  parent_run_id text,
  started_at real not null,
  start_position integer not null,
  version text not null,
  digest text not null,
  labels text not null,
  status text not null,
  updated_at real not null,
  ended_at real,
  wake_at real,
  is_outstanding integer not null,
  in_doubt integer not null,
  error_type text,
  reason text,
  crc integer not null
) strict;
-- Lists without a status ask once per status: seven look-ups cost less than a second set of indexes at every change.
create index run_by_status on run (tenant, status, started_at, run_id);
create index run_by_name on run (tenant, name, status, started_at, run_id);
create index run_by_namespace on run (tenant, namespace, started_at, run_id);
create index run_by_error on run (tenant, error_type, started_at, run_id) where error_type is not null;
create index run_by_doubt on run (tenant, started_at, run_id) where in_doubt > 0;
create index run_by_parent on run (parent_run_id, started_at, run_id) where parent_run_id is not null;
create index run_by_wake on run (wake_at) where wake_at is not null;
create index run_to_load on run (run_id) where status = 'running' or is_outstanding = 1;

create table run_label (
  tenant text not null,
  key text not null,
  value text not null,
  started_at real not null,
  run_id text not null,
  run_key integer not null,
  primary key (tenant, key, value, started_at, run_id)
) strict, without rowid;
create index run_label_by_run on run_label (run_key);

-- One row per run and commit: the texts of its records, one a line. Rows are appended in the order of commits, so that a batch of many runs
-- writes few pages; the index finds a run's rows again and is the second wall against two commits on one sequence.
create table record (
  record_key integer primary key,
  run_key integer not null,
  seq_first integer not null,
  seq_last integer not null,
  crc integer not null,
  body text not null,
  payload_places text
) strict;
create unique index record_by_run on record (run_key, seq_first);

create table payload (
  payload_key integer primary key,
  hash text not null unique,
  body text not null
) strict;

create table snapshot (
  run_key integer primary key,
  seq integer not null,
  engine_version integer not null,
  crc integer not null,
  body text not null
) strict;

create table definition (
  namespace text not null,
  name text not null,
  version text not null,
  digest text not null,
  base_directory text,
  published_at real not null,
  body text not null,
  crc integer not null,
  unique (namespace, name, version)
) strict;
create index definition_by_digest on definition (digest);

create table event (
  position integer primary key autoincrement,
  tenant text not null,
  source text not null,
  event_id text not null,
  type text not null,
  accepted_at real not null,
  body text not null,
  crc integer not null,
  unique (tenant, source, event_id)
) strict;
create index event_by_type on event (tenant, type);
create index event_by_age on event (accepted_at);

create table subscription (
  run_key integer not null,
  task integer not null,
  filter integer not null,
  tenant text not null,
  event_type text,
  -- Events after this position count: the end of the inbox at subscription, or with correlation at the run's start.
  after_position integer not null,
  primary key (run_key, task, filter)
) strict, without rowid;
create index subscription_by_type on subscription (tenant, event_type);

create table message (
  position integer primary key autoincrement,
  to_run_id text not null,
  body text not null,
  crc integer not null
) strict;

create table slot (
  slot_key integer primary key autoincrement,
  key text not null,
  run_id text not null,
  task integer not null,
  max_held integer not null,
  -- 0 while it waits; grows over all keys, so it grows per key.
  fence integer not null,
  unique (key, run_id, task)
) strict;
create index slot_by_key on slot (key, slot_key);

create table setting (
  name text primary key,
  value integer not null
) strict, without rowid;
`;
