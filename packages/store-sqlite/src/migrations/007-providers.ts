/** Providers: configured targets of connectors. Never edited: append a migration. */
export const MIGRATION_7 = `
create table provider (
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
`;
