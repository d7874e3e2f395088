import { AppError } from "@tutti/model";
import type { TuttiService } from "./service.ts";

type Served = Omit<TuttiService, "owner" | "close">;

/** A service in which every call fails by name, except those given: tests of the socket say what they expect to be called. */
export function serviceWith(given: Partial<Served>): Served {
  const refuse = (): never => {
    throw new AppError("usage", "not expected in this test");
  };
  return {
    publish: refuse,
    listDefinitions: refuse,
    loadDefinition: refuse,
    startRun: refuse,
    previewRun: refuse,
    startPreviewed: refuse,
    operate: refuse,
    drive: refuse,
    listSchedules: refuse,
    showSchedule: refuse,
    setSchedule: refuse,
    fireSchedule: refuse,
    nextInstants: refuse,
    listProviders: refuse,
    addProvider: refuse,
    checkProvider: refuse,
    removeProvider: refuse,
    acceptEvent: refuse,
    listEvents: refuse,
    explain: refuse,
    planBackOut: refuse,
    trace: refuse,
    show: refuse,
    list: refuse,
    resolveRunId: refuse,
    loadRow: refuse,
    watch: refuse,
    waitFor: refuse,
    records: refuse,
    lifecycleEvents: refuse,
    logs: refuse,
    prune: refuse,
    backup: refuse,
    diagnose: refuse,
    ...given,
  };
}
