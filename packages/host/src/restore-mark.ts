import { open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "@tutti/connector-kit";
import { AppError } from "@tutti/model";
import type { DataDirectory } from "./data-directory.ts";
import type { TuttiService } from "./service.ts";

const FILE = "restored.json";
const RestoreMark = z.object({ backupAtMs: z.number(), restoredAtMs: z.number(), source: z.string() });

/** Says that a data directory came from a backup and that nobody has let its runs go on yet. */
export type RestoreMark = z.infer<typeof RestoreMark>;

export async function writeRestoreMark(directory: DataDirectory, mark: RestoreMark): Promise<void> {
  const file = await open(join(directory.path, FILE), "wx", 0o600);
  try {
    await file.writeFile(`${JSON.stringify(mark)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The mark, or undefined. One that cannot be read counts all the same: nobody knows that somebody has said go. */
export async function readRestoreMark(directory: DataDirectory): Promise<RestoreMark | undefined> {
  let text: string;
  try {
    text = await readFile(join(directory.path, FILE), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    return RestoreMark.parse(JSON.parse(text));
  } catch {
    return { backupAtMs: 0, restoredAtMs: 0, source: "unknown" };
  }
}

/** From now on the runs may go on. */
export async function removeRestoreMark(directory: DataDirectory): Promise<void> {
  await rm(join(directory.path, FILE), { force: true });
  const parent = await open(directory.path, "r");
  try {
    await parent.sync();
  } finally {
    await parent.close();
  }
}

export function pausedError(mark: RestoreMark): AppError {
  return new AppError(
    "restored-paused",
    `The data directory was restored from the backup of ${new Date(mark.backupAtMs).toISOString()}: nothing in it goes on until somebody says so.`,
    { details: { backupAtMs: mark.backupAtMs, source: mark.source } },
  );
}

type Served = Omit<TuttiService, "owner" | "close">;

/**
 * The service of a restored directory: it answers look-ups and refuses everything that would start or move a run. A schedule may be switched off,
 * so that it starts nothing after the release.
 */
export function pausedService(service: Served, mark: RestoreMark): Served {
  const refuse = async (): Promise<never> => {
    throw pausedError(mark);
  };
  return {
    ...service,
    startRun: refuse,
    startPreviewed: refuse,
    operate: refuse,
    drive: refuse,
    acceptEvent: refuse,
    prune: refuse,
    fireSchedule: refuse,
    setSchedule: async (namespace, name, isEnabled) => (isEnabled ? refuse() : service.setSchedule(namespace, name, false)),
  };
}
