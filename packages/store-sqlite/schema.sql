CREATE TABLE condemned (
  run_key integer primary key,
  run_id text not null unique
) strict;

CREATE TABLE definition (
  namespace text not null,
  name text not null,
  version text not null,
  digest text not null,
  base_directory text,
  published_at real not null,
  body text not null,
  crc integer not null, pinned text,
  unique (namespace, name, version)
) strict;

CREATE TABLE event (
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

CREATE TABLE message (
  position integer primary key autoincrement,
  to_run_id text not null,
  body text not null,
  crc integer not null
) strict;

CREATE TABLE migration (number integer primary key, hash text not null) strict;

CREATE TABLE payload (
  payload_key integer primary key,
  hash text not null unique,
  body text not null
) strict;

CREATE TABLE payload_use (
  run_key integer not null,
  payload_key integer not null,
  primary key (run_key, payload_key)
) strict, without rowid;

CREATE TABLE provider (
  provider_key integer primary key,
  tenant text not null,
  name text not null,
  connector text not null,
  revision integer not null,
  -- Configuration, which secret each credential is, the last look at its health.
  body text not null,
  crc integer not null,
  unique (tenant, name)
) strict;

CREATE TABLE record (
  record_key integer primary key,
  run_key integer not null,
  seq_first integer not null,
  seq_last integer not null,
  crc integer not null,
  body text not null,
  payload_places text
) strict;

CREATE TABLE run (
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

CREATE TABLE run_label (
  tenant text not null,
  key text not null,
  value text not null,
  started_at real not null,
  run_id text not null,
  run_key integer not null,
  primary key (tenant, key, value, started_at, run_id)
) strict, without rowid;

CREATE TABLE schedule (
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

CREATE TABLE setting (
  name text primary key,
  value integer not null
) strict, without rowid;

CREATE TABLE slot (
  slot_key integer primary key autoincrement,
  key text not null,
  run_id text not null,
  task integer not null,
  max_held integer not null,
  -- 0 while it waits; grows over all keys, so it grows per key.
  fence integer not null,
  unique (key, run_id, task)
) strict;

CREATE TABLE snapshot (
  run_key integer primary key,
  seq integer not null,
  engine_version integer not null,
  crc integer not null,
  body text not null
) strict;

CREATE TABLE subscription (
  run_key integer not null,
  task integer not null,
  filter integer not null,
  tenant text not null,
  event_type text,
  -- Events after this position count: the end of the inbox at subscription, or with correlation at the run's start.
  after_position integer not null, key_name text, key_value text,
  primary key (run_key, task, filter)
) strict, without rowid;

CREATE INDEX definition_by_digest on definition (digest);

CREATE INDEX event_by_age on event (accepted_at);

CREATE INDEX event_by_type on event (tenant, type);

CREATE INDEX message_by_run on message (to_run_id);

CREATE INDEX payload_use_by_payload on payload_use (payload_key);

CREATE UNIQUE INDEX record_by_run on record (run_key, seq_first);

CREATE INDEX run_by_doubt on run (tenant, started_at, run_id) where in_doubt > 0;

CREATE INDEX run_by_end on run (digest, ended_at, run_id) where ended_at is not null;

CREATE INDEX run_by_error on run (tenant, error_type, started_at, run_id, status, name, namespace) where error_type is not null;

CREATE INDEX run_by_name on run (tenant, name, status, started_at, run_id, namespace);

CREATE INDEX run_by_namespace on run (tenant, namespace, started_at, run_id);

CREATE INDEX run_by_parent on run (parent_run_id, started_at, run_id) where parent_run_id is not null;

CREATE INDEX run_by_status on run (tenant, status, started_at, run_id, namespace);

CREATE INDEX run_by_wake on run (wake_at) where wake_at is not null;

CREATE INDEX run_label_by_run on run_label (run_key);

CREATE INDEX run_to_load on run (run_id) where status = 'running' or is_outstanding = 1;

CREATE INDEX slot_by_key on slot (key, slot_key);

CREATE INDEX subscription_by_key on subscription (tenant, event_type, key_name, key_value);
