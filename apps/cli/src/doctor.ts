import { stat, statfs } from "node:fs/promises";
import type { DataDirectory, TuttiService } from "@tutti/host";
import { TUTTI_VERSION } from "@tutti/host";
import { healthText } from "./render/provider-text.ts";
import { formatBytes, groupDigits, plural } from "./render/text.ts";

export interface Check {
  readonly name: string;
  readonly status: "ok" | "warning" | "problem";
  readonly what: string;
  /** What to do; only where something is wrong. */
  readonly fix?: string;
}

const NODE_MAJOR = 24;
/** Below this the store may stop within hours of normal work. */
const DISK_BYTES_LOW = 1024 ** 3;
const DISK_BYTES_CRITICAL = 100 * 1024 ** 2;
/** Ids named in a line. */
const NAMED_MAX = 3;

/** What can be said without opening anything. */
export async function checkMachine(directory: DataDirectory): Promise<readonly Check[]> {
  const major = Number(process.versions.node.split(".")[0]);
  const checks: Check[] = [
    { name: "version", status: "ok", what: `tutti ${TUTTI_VERSION}` },
    major >= NODE_MAJOR
      ? { name: "node", status: "ok", what: process.version }
      : { name: "node", status: "problem", what: `${process.version} is too old`, fix: `install Node ${NODE_MAJOR}` },
  ];
  const found = await stat(directory.path).catch(() => undefined);
  if (found === undefined) return checks;
  checks.push(permissions("data directory", directory.path, found.mode));
  const secrets = await stat(directory.secrets).catch(() => undefined);
  if (secrets !== undefined) checks.push(permissions("secrets", directory.secrets, secrets.mode));
  checks.push(await disk(directory.path));
  return checks;
}

/** What the runtime and the store know. */
export async function checkService(service: TuttiService, tutti: string): Promise<readonly Check[]> {
  const { owner } = service;
  const report = await service.diagnose();
  const checks: Check[] = [
    owner.where === "elsewhere"
      ? {
          name: "owner",
          status: owner.version === TUTTI_VERSION ? "ok" : "warning",
          what: `process ${owner.pid}, version ${owner.version}, drives ${owner.drive === "all" ? "all runs" : "the runs it was asked for"}`,
          ...(owner.version === TUTTI_VERSION ? {} : { fix: "restart it with this version" }),
        }
      : { name: "owner", status: "ok", what: "none; this command owns the directory for the moment" },
    {
      name: "last stop",
      status: "ok",
      // A directory that is new has had no stop; either way nothing is left to do.
      what: report.stoppedCleanly ? "orderly" : "not orderly, or there was none yet; what was under way is taken up from the records",
    },
    {
      name: "store",
      status: "ok",
      what: `${plural(report.store.runs, "run")}, ${plural(report.store.records, "record")}, ${formatBytes(report.store.bytes)}`,
    },
    ...report.store.damage.map((damage): Check => ({
      name: "damage",
      status: "problem",
      what: `${damage.runId ?? "store"}: ${damage.what}`,
      fix: "keep a copy of the data directory, then restore it from a backup; other runs are not touched",
    })),
  ];
  checks.push(...(await attention(service, tutti)));
  checks.push(...(await providers(service, tutti)));
  const counts = Object.entries(report.runsByStatus).filter(([, count]) => count > 0);
  checks.push({
    name: "runs",
    status: "ok",
    what: counts.length === 0 ? "none" : counts.map(([status, count]) => `${groupDigits(count)} ${status}`).join(", "),
  });
  checks.push({
    name: "functions",
    status: "ok",
    what: report.functions.length === 0 ? "none" : report.functions.map((each) => each.name).join(", "),
  });
  return checks;
}

/** Runs that wait for a person. */
async function attention(service: TuttiService, tutti: string): Promise<readonly Check[]> {
  const looks = [
    { name: "in doubt", query: { inDoubt: true }, status: "warning", verb: "settle" },
    { name: "faulted", query: { status: ["faulted"] }, status: "warning", verb: "retry, skip or resume" },
    { name: "quarantined", query: { status: ["quarantined"] }, status: "problem", verb: "find the cause, then resume" },
  ] as const;
  const checks: Check[] = [];
  for (const look of looks) {
    const { runs, next } = await service.list({ ...look.query, limit: NAMED_MAX });
    if (runs.length === 0) continue;
    const names = runs.map((run) => run.runId).join(", ");
    checks.push({
      name: look.name,
      status: look.status,
      what: `${names}${next === undefined ? "" : " and more"}`,
      fix: `${tutti} run show ${runs[0]?.runId ?? "RUN"}: ${look.verb}`,
    });
  }
  return checks;
}

/** How the systems that workflows work on were at their last check; nobody is asked here. */
async function providers(service: TuttiService, tutti: string): Promise<readonly Check[]> {
  const found = await service.listProviders();
  if (found.length === 0) return [];
  const ill = found.filter(({ health }) => health !== undefined && health.found.status !== "healthy");
  if (ill.length === 0) return [{ name: "providers", status: "ok", what: found.map(({ name }) => name).join(", ") }];
  return ill.map((view) => ({
    name: "provider",
    status: "warning",
    what: `${view.name}: ${healthText(view)}`,
    fix: `${tutti} provider check ${view.name} says what to do`,
  }));
}

function permissions(name: string, path: string, mode: number): Check {
  const text = (mode & 0o777).toString(8).padStart(4, "0");
  if ((mode & 0o077) === 0) return { name, status: "ok", what: `${path}, mode ${text}` };
  return { name, status: "problem", what: `${path} is open to other users (mode ${text})`, fix: `chmod 700 ${path}` };
}

async function disk(path: string): Promise<Check> {
  const space = await statfs(path);
  const free = space.bavail * space.bsize;
  const what = `${formatBytes(free)} free`;
  if (free >= DISK_BYTES_LOW) return { name: "disk", status: "ok", what };
  return {
    name: "disk",
    status: free < DISK_BYTES_CRITICAL ? "problem" : "warning",
    what,
    fix: "free some space: a full disk stops all runs until there is room again",
  };
}
