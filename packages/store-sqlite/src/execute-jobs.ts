import { commitRun } from "./commit.ts";
import type { Connection } from "./connection.ts";
import { putDefinition } from "./definitions.ts";
import { acceptEvent, deleteEvents } from "./events.ts";
import { putProvider, removeProvider } from "./providers.ts";
import { putSchedule } from "./schedules.ts";
import { condemnRuns, giveBackSpace, sweepRuns } from "./retention.ts";
import { writeSetting } from "./settings.ts";
import type { WriteJob, WriteResult } from "./write-job.ts";

/** Carries out several writes in one transaction with one sync: all or none. */
export function executeJobs(connection: Connection, jobs: readonly WriteJob[]): readonly WriteResult[] {
  return connection.transact(() => jobs.map((job) => execute(connection, job)));
}

function execute(connection: Connection, job: WriteJob): WriteResult {
  switch (job.kind) {
    case "commit":
      return { kind: "commit", runs: job.runs.map((run) => commitRun(connection, run)) };
    case "put-definition":
      return { kind: "put-definition", outcome: putDefinition(connection, job.definition) };
    case "accept-event":
      return { kind: "accept-event", ...acceptEvent(connection, job.event) };
    case "put-schedule":
      return { kind: "put-schedule", outcome: putSchedule(connection, job.row) };
    case "put-provider":
      return { kind: "put-provider", outcome: putProvider(connection, job.row) };
    case "remove-provider":
      return { kind: "remove-provider", wasThere: removeProvider(connection, job.tenant, job.name) };
    case "delete-events":
      return { kind: "delete-events", count: deleteEvents(connection, job.acceptedBeforeMs) };
    case "condemn":
      return { kind: "condemn", condemned: condemnRuns(connection, job.runIds) };
    case "sweep":
      return { kind: "sweep", ...sweepRuns(connection, job.runIds) };
    case "give-back":
      return { kind: "give-back", ...giveBackSpace(connection, job.keepBytes) };
    case "set":
      writeSetting(connection, job.name, job.value);
      return { kind: "set" };
  }
}
