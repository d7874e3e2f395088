import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Calls `use` with an empty directory that is removed afterwards. */
export async function withDirectory<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const parent = mkdtempSync(join(tmpdir(), "tutti-store-"));
  try {
    return await use(join(parent, "data"));
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
}
