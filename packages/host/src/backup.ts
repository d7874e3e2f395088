import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, link, mkdir, open, readdir, readFile, rename, rm, rmdir, stat, unlink, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { z } from "@tutti/connector-kit";
import { AppError } from "@tutti/model";
import type { StoreReport } from "@tutti/store";
import { checkDatabase, DATABASE_FILE } from "@tutti/store-sqlite";
import { type DataDirectory, messageOf } from "./data-directory.ts";
import { CURSOR_FILE } from "./lifecycle/cursor-file.ts";
import { removeRestoreMark, writeRestoreMark } from "./restore-mark.ts";
import { TUTTI_VERSION } from "./version.ts";

const MANIFEST_FILE = "manifest.json";
/** Raised when a backup is laid out in another way. */
const FORMAT = 1;
/** Small files beside the database without which it is not the same installation. */
const SETTINGS_FILES: readonly string[] = ["installation-id", "settings.yaml"];
/** The store of a backup while it is looked through, with the files that SQLite puts beside it. */
const ASIDE_FILE = "restored.db";
const ASIDE_FILES: readonly string[] = [ASIDE_FILE, `${ASIDE_FILE}-wal`, `${ASIDE_FILE}-shm`];
/** Copied before the store: what it says was told is in the copy then, and what was told meanwhile is told again. */
const CURSOR_FILES: readonly string[] = [CURSOR_FILE];
const PRIVATE_DIRECTORY = 0o700;
const PRIVATE_FILE = 0o600;
/** A manifest with a line per log file of a million runs is some hundred MiB; a larger one is none of ours. */
const MANIFEST_BYTES_MAX = 512 * 1024 * 1024;

/** Names with at most one folder, each beginning with a letter or digit: nothing leads out of the backup. */
const FileName = z.string().regex(/^(?:[A-Za-z0-9][\w.@-]*\/){0,2}[A-Za-z0-9][\w.@-]*$/);
const Manifest = z.object({
  format: z.number(),
  version: z.string(),
  createdAtMs: z.number(),
  runs: z.number(),
  records: z.number(),
  files: z.array(z.object({ name: FileName, bytes: z.number(), sha256: z.string().regex(/^[0-9a-f]{64}$/) })),
});
type Manifest = z.infer<typeof Manifest>;

export interface BackupRequest {
  /** Absolute path of a directory that is not there yet, or empty. */
  readonly target: string;
  readonly withSecrets: boolean;
  readonly withLogs: boolean;
}
export interface BackupReport {
  readonly target: string;
  readonly createdAtMs: number;
  readonly runs: number;
  readonly records: number;
  readonly bytes: number;
  /** What was damaged in the store already, by name. The backup is there all the same: it is the best that can be had. */
  readonly damage: StoreReport["damage"];
}

/**
 * Makes a backup of a data directory while its owner works: the store as it is at one moment, the installation's id and settings; logs and
 * secrets only when asked for. Everything is written aside and synced, and gets its name last: what has the name is whole.
 *
 * @throws AppError `backup-refused` when the target is taken or cannot be written.
 */
export async function writeBackup(
  deps: { readonly directory: DataDirectory; readonly nowMs: () => number; readonly copyStore: (file: string) => Promise<StoreReport> },
  request: BackupRequest,
): Promise<BackupReport> {
  const { target } = request;
  const aside = `${target}.partial`;
  await refuseTaken(target);
  await mkdir(dirname(target), { recursive: true });
  try {
    await mkdir(aside, { mode: PRIVATE_DIRECTORY });
  } catch (cause) {
    throw new AppError("backup-refused", `The backup cannot be written to ${aside}: ${messageOf(cause)}.`, {
      cause,
      details: { path: aside },
      hint: "When an earlier backup was broken off, delete what it left there; else name another directory.",
    });
  }
  try {
    const createdAtMs = deps.nowMs();
    const cursors = await copyPresent(CURSOR_FILES, deps.directory, aside);
    const report = await deps.copyStore(join(aside, DATABASE_FILE));
    const names = [DATABASE_FILE, ...cursors, ...(await copyPresent(SETTINGS_FILES, deps.directory, aside))];
    if (request.withSecrets) names.push(...(await copyFolder(deps.directory.secrets, aside, "secrets")));
    if (request.withLogs) names.push(...(await copyLogs(deps.directory.logs, aside)));
    const files = [];
    for (const name of names) files.push({ name, ...(await digestOf(join(aside, name))) });
    const manifest: Manifest = { format: FORMAT, version: TUTTI_VERSION, createdAtMs, runs: report.runs, records: report.records, files };
    await writeFile(join(aside, MANIFEST_FILE), `${JSON.stringify(manifest, undefined, 2)}\n`, { mode: PRIVATE_FILE });
    for (const name of [...names, MANIFEST_FILE]) await sync(join(aside, name));
    await sync(aside);
    await rmdir(target).catch(() => undefined);
    await rename(aside, target);
    await sync(dirname(target));
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    return { target, createdAtMs, runs: report.runs, records: report.records, bytes, damage: report.damage };
  } catch (error) {
    await rm(aside, { recursive: true, force: true });
    if (error instanceof AppError) throw error;
    throw new AppError("backup-refused", `The backup to ${target} failed: ${messageOf(error)}.`, {
      cause: error,
      details: { path: target },
    });
  }
}

export interface RestoreReport {
  readonly directory: string;
  readonly createdAtMs: number;
  readonly version: string;
  readonly runs: number;
  readonly records: number;
}

/**
 * Makes a data directory out of a backup. Every file is compared with its checksum and the store is read whole before it gets its name; the
 * directory is marked as restored first, so nothing in it goes on before somebody says so (`restore-mark.ts`). A restore that fails takes away
 * what it has put there; one that is broken off by a crash leaves a directory without a store, which has to be emptied by hand.
 *
 * @throws AppError `backup-damaged` naming what does not fit, `store-newer`, `restore-refused` when the directory is not empty.
 */
export async function restoreBackup(source: string, directory: DataDirectory, nowMs: () => number): Promise<RestoreReport> {
  const manifest = await readManifest(source);
  for (const file of manifest.files) await verify(source, file);
  await mkdir(directory.path, { recursive: true, mode: PRIVATE_DIRECTORY });
  if ((await readdir(directory.path)).length > 0) {
    throw new AppError("restore-refused", `The directory ${directory.path} is not empty: a restore never writes over anything.`, {
      details: { path: directory.path },
    });
  }
  const { createdAtMs, version, runs, records } = manifest;
  // Fails when another restore has written its own meanwhile: the directory is that one's then.
  await writeRestoreMark(directory, { backupAtMs: createdAtMs, restoredAtMs: nowMs(), source });
  try {
    for (const { name } of manifest.files) {
      if (name === DATABASE_FILE) continue;
      await mkdir(dirname(join(directory.path, name)), { recursive: true, mode: PRIVATE_DIRECTORY });
      await copyPrivate(join(source, name), join(directory.path, name));
    }
    await placeStore(join(source, DATABASE_FILE), directory);
  } catch (error) {
    await takeBack(manifest, directory);
    throw error;
  }
  return { directory: directory.path, createdAtMs, version, runs, records };
}

/** Only what the restore has made, by name. Once the store has its name the mark stays whatever happens: nothing may go on unasked. */
async function takeBack(manifest: Manifest, directory: DataDirectory): Promise<void> {
  if ((await readdir(directory.path)).includes(DATABASE_FILE)) return;
  const names = manifest.files.map(({ name }) => name).filter((name) => name !== DATABASE_FILE);
  for (const name of [...ASIDE_FILES, ...names]) await rm(join(directory.path, name), { force: true });
  const folders = new Set(names.flatMap((name) => parentsOf(name)));
  // The inner ones are longer than those that they are in.
  for (const folder of [...folders].toSorted((a, b) => b.length - a.length))
    await rmdir(join(directory.path, folder)).catch(() => undefined);
  await removeRestoreMark(directory);
}

function parentsOf(name: string): readonly string[] {
  const parts = name.split("/").slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
}

/** The store last and by a link, which never replaces: until it has its name there is no data directory. */
async function placeStore(source: string, directory: DataDirectory): Promise<void> {
  const aside = join(directory.path, ASIDE_FILE);
  await copyPrivate(source, aside);
  const report = checkDatabase(aside);
  if (report.damage.length > 0) {
    const [first] = report.damage;
    throw new AppError(
      "backup-damaged",
      `The store of the backup is damaged (${report.damage.length}): ${first?.runId ?? "store"}: ${first?.what ?? ""}.`,
    );
  }
  await sync(aside);
  await link(aside, join(directory.path, DATABASE_FILE));
  await unlink(aside);
  await sync(directory.path);
}

async function refuseTaken(target: string): Promise<void> {
  const entries = await readdir(target).catch((error: NodeJS.ErrnoException) => (error.code === "ENOENT" ? [] : [target]));
  if (entries.length === 0) return;
  throw new AppError("backup-refused", `${target} is there already: a backup never writes over anything.`, {
    details: { path: target },
    hint: "Name a directory that is not there yet.",
  });
}

async function copyPresent(files: readonly string[], directory: DataDirectory, aside: string): Promise<readonly string[]> {
  const names: string[] = [];
  for (const name of files) {
    if ((await stat(join(directory.path, name)).catch(() => undefined)) === undefined) continue;
    await copyPrivate(join(directory.path, name), join(aside, name));
    names.push(name);
  }
  return names;
}

/** Files directly in the folder; one that has gone meanwhile (a deleted run's log) is left out. */
async function copyFolder(folder: string, aside: string, name: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  await mkdir(join(aside, name), { recursive: true, mode: PRIVATE_DIRECTORY });
  const names: string[] = [];
  for (const entry of entries) {
    const file = `${name}/${entry.name}`;
    if (!entry.isFile() || !FileName.safeParse(file).success) continue;
    const isThere = await copyPrivate(join(folder, entry.name), join(aside, file)).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT") throw error;
        return false;
      },
    );
    if (isThere) names.push(file);
  }
  return names;
}

async function copyLogs(logs: string, aside: string): Promise<readonly string[]> {
  const names: string[] = [];
  for (const folder of await readdir(logs).catch(() => [])) names.push(...(await copyFolder(join(logs, folder), aside, `logs/${folder}`)));
  return names;
}

async function readManifest(source: string): Promise<Manifest> {
  const path = join(source, MANIFEST_FILE);
  let found: unknown;
  try {
    if ((await stat(path)).size > MANIFEST_BYTES_MAX) throw new Error("it is too large");
    found = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw new AppError("backup-damaged", `${source} is no whole backup: ${MANIFEST_FILE} cannot be read (${messageOf(cause)}).`, { cause });
  }
  if (typeof found === "object" && found !== null && "format" in found && typeof found.format === "number" && found.format > FORMAT)
    throw new AppError("store-newer", `The backup ${source} has format ${found.format}; this version of Tutti knows ${FORMAT}.`);
  const manifest = Manifest.safeParse(found);
  if (!manifest.success || !manifest.data.files.some((file) => file.name === DATABASE_FILE))
    throw new AppError("backup-damaged", `${source} is no whole backup: ${MANIFEST_FILE} does not say what it should.`);
  return manifest.data;
}

async function verify(source: string, file: Manifest["files"][number]): Promise<void> {
  let found: { readonly bytes: number; readonly sha256: string } | undefined;
  try {
    found = await digestOf(join(source, file.name));
  } catch (cause) {
    throw new AppError("backup-damaged", `${file.name} of the backup cannot be read: ${messageOf(cause)}.`, { cause });
  }
  if (found.bytes === file.bytes && found.sha256 === file.sha256) return;
  const what = found.bytes === file.bytes ? "does not match its checksum" : `has ${found.bytes} bytes and should have ${file.bytes}`;
  throw new AppError("backup-damaged", `${file.name} of the backup ${basename(source)} ${what}.`, { details: { file: file.name } });
}

async function digestOf(path: string): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return { bytes: (await stat(path)).size, sha256: hash.digest("hex") };
}

async function copyPrivate(from: string, to: string): Promise<void> {
  await writeFile(to, "", { mode: PRIVATE_FILE, flag: "wx" });
  await copyFile(from, to);
  await sync(to);
}

async function sync(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
