/**
 * Lists by two criteria of which each selects many runs. Never edited: append a migration.
 *
 * The columns after `run_id` are compared in the index instead of in the row, which costs a look-up per run that is passed over: measured with a
 * million runs, a list by name and another namespace took 148 ms (p95) and takes 15 ms. The indexes are those that are written anyway when one of
 * these columns changes.
 */
export const MIGRATION_5 = `
drop index run_by_status;
create index run_by_status on run (tenant, status, started_at, run_id, namespace);
drop index run_by_name;
create index run_by_name on run (tenant, name, status, started_at, run_id, namespace);
drop index run_by_error;
create index run_by_error on run (tenant, error_type, started_at, run_id, status, name, namespace) where error_type is not null;
`;
