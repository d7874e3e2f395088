import { z } from "@tutti/connector-kit";
import type { Restic } from "./restic.ts";

const TOKEN = /^tok_[0-9a-f]{32}$/;

/** A backup as a repository keeps it. */
export const Snapshot = z.strictObject({
  snapshot: z.string(),
  /** Of the call that made it; null for those of others. */
  token: z.string().nullable(),
  at: z.string(),
  host: z.string(),
  paths: z.array(z.string()),
  tags: z.array(z.string()),
});
export type Snapshot = z.infer<typeof Snapshot>;

const Listed = z.array(
  z.looseObject({
    id: z.string().regex(/^[0-9a-f]{64}$/),
    time: z.string(),
    hostname: z.string(),
    paths: z.array(z.string()),
    tags: z.array(z.string()).nullish(),
  }),
);

export interface SnapshotFilter {
  readonly host?: string | undefined;
  readonly tags?: readonly string[] | undefined;
}

/** The backups that a filter takes, the oldest first. @throws ConnectorError. */
export async function listSnapshots(restic: Restic, { host, tags = [] }: SnapshotFilter = {}): Promise<readonly Snapshot[]> {
  const words = [...(host === undefined ? [] : [`--host=${host}`]), ...(tags.length === 0 ? [] : [`--tag=${tags.join(",")}`])];
  const listed = await restic.read(["snapshots", "--no-lock", ...words], Listed.nullable());
  return (listed ?? []).map(({ id, time, hostname, paths, tags: own }) => ({
    snapshot: id,
    token: own?.find((tag) => TOKEN.test(tag)) ?? null,
    at: time,
    host: hostname,
    paths,
    tags: (own ?? []).filter((tag) => !TOKEN.test(tag)),
  }));
}
