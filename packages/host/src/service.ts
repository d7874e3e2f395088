import type { BackupReport, BackupRequest } from "./backup.ts";
import type { Runtime } from "@tutti/runtime";

/**
 * What every `tutti` process works with: the runtime's interface, whoever owns the data directory. The owner is this process or the one
 * that answers on the socket; callers need not know, except to say so.
 */
export interface TuttiService extends Omit<Runtime, "start" | "stop" | "nextTickAt" | "gauges" | "mask" | "readLifecycle"> {
  readonly owner: OwnerInfo;
  /** Copies the store, the installation's id and its settings into a new directory while runs go on. See `writeBackup`. */
  backup(request: BackupRequest): Promise<BackupReport>;
  /** Ends the connection; an owner stops its runtime and frees the data directory. May be called twice. */
  close(): Promise<void>;
}

export interface OwnerInfo {
  readonly where: "here" | "elsewhere";
  readonly pid: number;
  readonly version: string;
  /** `all`: a `tutti up`, which drives every run. `asked`: a command that drives only what it was asked to. */
  readonly drive: DriveMode;
}

export type DriveMode = "all" | "asked";
