import { randomBytes } from "node:crypto";
import { open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import type { DataDirectory } from "./data-directory.ts";

const FILE = "installation-id";
const ID_BYTES = 16;
const ID = /^[0-9a-f]{32}$/;

/**
 * The random id of a data directory, made on the first start and never changed: run ids of start keys derive from it, and so do the tokens in
 * target systems, which therefore differ between installations that use the same keys. Called by the owner of the directory only.
 *
 * Written aside, synced and renamed: after a crash there is the whole id or none, and none means that no run was started yet.
 */
export async function installationId(directory: DataDirectory): Promise<string> {
  const path = join(directory.path, FILE);
  const known = await readFile(path, "utf8").catch(() => "");
  if (ID.test(known.trim())) return known.trim();
  const id = randomBytes(ID_BYTES).toString("hex");
  const file = await open(`${path}.new`, "w", 0o600);
  try {
    await file.writeFile(`${id}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
  // The rename must be there before anything is started under the id.
  const parent = await open(directory.path, "r");
  try {
    await parent.sync();
  } finally {
    await parent.close();
  }
  return id;
}
