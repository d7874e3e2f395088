import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const SMALL_DISK_MIB = 8;

/** Calls `use` with a disk of 8 MiB. @returns undefined when this account cannot mount one. */
export async function withSmallDisk<T>(use: (disk: string) => Promise<T>): Promise<T | undefined> {
  const disk = mkdtempSync(join(tmpdir(), "tutti-disk-"));
  if (spawnSync("mount", ["-t", "tmpfs", "-o", `size=${SMALL_DISK_MIB}m`, "tmpfs", disk]).status !== 0) {
    rmSync(disk, { recursive: true });
    return undefined;
  }
  try {
    return await use(disk);
  } finally {
    unmount(disk);
  }
}

/** @throws when the mount stays: it would take the machine's memory. */
function unmount(disk: string): void {
  const { status, stderr } = spawnSync("umount", [disk], { encoding: "utf8" });
  if (status !== 0) throw new Error(`The small disk could not be unmounted: ${stderr}`);
  rmSync(disk, { recursive: true });
}
